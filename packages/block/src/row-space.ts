/** Rows of a table in their final order and the row groups they fall into. */
export interface RowSpace {
  rows: number;
  /** Row in the column set → row in the table, -1 for rows that are left out. */
  position: Int32Array;
  /** First row of each row group, and at the end the number of rows. Groups may be empty (of events). */
  groups: Int32Array;
}
