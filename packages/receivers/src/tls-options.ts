/** TLS of a listener, as PEM text. With `clientCa` a client must show a certificate that it signed. */
export interface TlsOptions {
  cert: string;
  key: string;
  clientCa?: string;
}
