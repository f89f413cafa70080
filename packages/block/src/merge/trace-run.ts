/** Traces one after another, in the order of their ids, with where their spans lie. Flat: there may be one a span. */
export class TraceRun {
  traceCount = 0;
  partCount = 0;
  /** Spans in all. */
  rows = 0;
  /** 16 bytes a trace. */
  ids = new Uint8Array(16 * 64);
  /** First part of each trace, and at the end the number of parts. */
  firstPart = new Int32Array(65);
  /** By part: the number of its input, its first row in the block, the row group of that, and how many spans it has. */
  input = new Int32Array(64);
  row = new Int32Array(64);
  group = new Int32Array(64);
  spans = new Int32Array(64);

  clear(): void {
    this.traceCount = 0;
    this.partCount = 0;
    this.rows = 0;
  }

  /** Begins a trace; its parts follow, in the order of inputs. */
  open(id: Uint8Array): void {
    if (16 * (this.traceCount + 1) > this.ids.length) {
      const ids = new Uint8Array(2 * this.ids.length);
      ids.set(this.ids);
      this.ids = ids;
      this.firstPart = grown(this.firstPart);
    }
    this.ids.set(id, 16 * this.traceCount++);
    this.firstPart[this.traceCount] = this.partCount;
  }

  /** A part of the trace that was opened last. */
  add(input: number, row: number, group: number, spans: number): void {
    const part = this.partCount;
    if (part === this.input.length) {
      this.input = grown(this.input);
      this.row = grown(this.row);
      this.group = grown(this.group);
      this.spans = grown(this.spans);
    }
    this.input[part] = input;
    this.row[part] = row;
    this.group[part] = group;
    this.spans[part] = spans;
    this.rows += spans;
    this.firstPart[this.traceCount] = ++this.partCount;
  }
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}
