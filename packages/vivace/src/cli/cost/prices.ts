/** What a store charges, in US dollars. Deletes cost nothing, nor does traffic within the region. */
export interface Prices {
  putPer1000: number;
  listPer1000: number;
  getPer1000: number;
  gibMonth: number;
}

/**
 * List prices of S3 Standard in us-east-1 for the first 50 TB a month, as published at aws.amazon.com/s3/pricing. They
 * have been the same for years; flags of `vivace cost` override them.
 */
export const S3_STANDARD: Prices = { putPer1000: 0.005, listPer1000: 0.005, getPer1000: 0.0004, gibMonth: 0.023 };
export const PRICES_OF = 'S3 Standard, us-east-1, list prices of 2025';
