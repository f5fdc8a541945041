/** Rows under a title; the first column says what a row is about. A newline in a cell starts a line. */
export interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What a reader has to know beside the rows. */
  readonly remark?: string;
}

/** A row of a table that sets two services side by side. */
export type PairRow = readonly [aspect: string, left: string, right: string];
