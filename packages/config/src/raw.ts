/** One setting as somebody wrote it, before it is checked. */
export interface RawValue {
  path: string;
  value: unknown;
  /** Who said so, for messages: `vivace.yaml:12`, `VIVACE_TARGET`, `--http-port`. */
  where: string;
}
