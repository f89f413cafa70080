import { type Random, utf8Encode } from '@vivace/kernel';
import { below, oneIn, pick } from './fuzz-target.ts';
import { boldNumber, mutateBytes, varintOf } from './mutate-bytes.ts';

/** A field as it was on the wire, and what a mutation makes of it. */
interface Node {
  field: bigint;
  wire: number;
  /** Of varints and fixed-size values. */
  number: bigint;
  /** Of length-delimited ones: either is set. */
  children: Node[] | undefined;
  bytes: Uint8Array;
  /** A length that lies. */
  length: bigint | undefined;
  /** Extra bytes in the varints. */
  padding: number;
}

/** Mutates an encoded protobuf message field by field, sometimes byte by byte on top; `other` lends fields. */
export function mutateProtobuf(random: Random, message: Uint8Array, other: Uint8Array): Uint8Array {
  const root = node(1n, 2, { children: parse(message) ?? [] });
  const lent = allNodes(node(1n, 2, { children: parse(other) ?? [] }));
  for (let times = 1 + below(random, oneIn(random, 3) ? 10 : 3); times > 0; times--) {
    mutateTree(random, root, lent);
    if (sizeOf(root) > 4 * MAX_BYTES) break;
  }
  const bytes = encodeAll(root.children ?? []).slice(0, MAX_BYTES);
  return oneIn(random, 4) ? mutateBytes(random, bytes, other) : bytes;
}

/** Inputs stay small so that many are tried. */
const MAX_BYTES = 1 << 16;

function node(field: bigint, wire: number, rest: Partial<Node> = {}): Node {
  const nothing = { number: 0n, children: undefined, bytes: new Uint8Array(0), length: undefined, padding: 0 };
  return { field, wire, ...nothing, ...rest };
}

/** The fields of a message, nested ones wherever the bytes look like one; undefined for bytes that are none. */
function parse(bytes: Uint8Array, depth = 0): Node[] | undefined {
  const nodes: Node[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n && at < bytes.length; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    at = bytes.length + 1;
    return 0n;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = Number(tag & 7n);
    const field = tag >> 3n;
    if (field === 0n || field > 40n) return undefined;
    if (wire === 0) nodes.push(node(field, wire, { number: varint() }));
    else if (wire === 1 || wire === 5) {
      const size = wire === 1 ? 8 : 4;
      if (at + size > bytes.length) return undefined;
      const padded = new Uint8Array(8);
      padded.set(bytes.subarray(at, at + size));
      nodes.push(node(field, wire, { number: new BigUint64Array(padded.buffer)[0] as bigint }));
      at += size;
    } else if (wire === 2) {
      const length = Number(varint());
      if (at + length > bytes.length) return undefined;
      const content = bytes.subarray(at, at + length);
      const children = depth < 40 && length > 0 ? parse(content, depth + 1) : undefined;
      nodes.push(node(field, wire, children === undefined ? { bytes: content } : { children }));
      at += length;
    } else return undefined;
  }
  return at === bytes.length ? nodes : undefined;
}

/** At most so many bytes a field takes. */
function sizeOf({ children, bytes }: Node): number {
  let size = 40 + bytes.length;
  for (const child of children ?? []) size += sizeOf(child);
  return size;
}

/** Writes from the end to the beginning: a length is known once what it is of is there, and nothing is copied twice. */
function encodeAll(nodes: readonly Node[]): Uint8Array {
  const out = new Uint8Array(nodes.reduce((sum, one) => sum + sizeOf(one), 0));
  let at = out.length;
  const put = (bytes: ArrayLike<number>) => {
    at -= bytes.length;
    out.set(bytes, at);
  };
  const write = ({ field, wire, number, children, bytes, length, padding }: Node) => {
    if (wire === 0) put(varintOf(number, padding));
    else if (wire === 1 || wire === 5) {
      const value = new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, number)).buffer);
      put(value.subarray(0, wire === 1 ? 8 : 4));
    } else if (wire === 2) {
      const end = at;
      if (children === undefined) put(bytes);
      else for (const child of children.toReversed()) write(child);
      put(varintOf(length ?? BigInt(end - at), padding));
    }
    // Of groups and wire types that do not exist the tag alone.
    put(varintOf((field << 3n) | BigInt(wire), padding));
  };
  for (const one of nodes.toReversed()) write(one);
  return out.slice(at);
}

function allNodes(root: Node): Node[] {
  const found: Node[] = [];
  const walk = (parent: Node) => {
    for (const child of parent.children ?? []) {
      found.push(child);
      walk(child);
    }
  };
  walk(root);
  return found;
}

function mutateTree(random: Random, root: Node, lent: readonly Node[]): void {
  const parents = [root, ...allNodes(root)].filter(({ children }) => children !== undefined);
  const parent = pick(random, parents);
  const children = parent.children as Node[];
  const at = below(random, children.length);
  const child = children[at];
  if (child === undefined) {
    children.push(strange(random, lent));
    return;
  }
  switch (below(random, 14)) {
    case 0:
      children.splice(at, 1);
      return;
    case 1:
      children.splice(below(random, children.length + 1), 0, structuredClone(child));
      return;
    case 2: {
      const fitting = Math.floor(MAX_BYTES / sizeOf(child));
      const times = Math.min(oneIn(random, 10) ? 2000 : 20, fitting);
      children.push(...Array.from({ length: times }, () => child));
      return;
    }
    case 3:
      [children[at], children[0]] = [children[0] as Node, child];
      return;
    case 4:
      if (lent.length > 0) children[at] = structuredClone(pick(random, lent));
      return;
    case 5:
      children.splice(at, 0, strange(random, lent));
      return;
    case 6:
      child.field = oneIn(random, 4) ? boldNumber(random) & 0x1fffffffffffffffn : BigInt(1 + below(random, 17));
      return;
    case 7:
      child.wire = below(random, 8);
      return;
    case 8:
      child.number = boldNumber(random);
      return;
    case 9:
      child.padding = 1 + below(random, 9);
      return;
    case 10:
      if (child.wire === 2) child.length = oneIn(random, 2) ? boldNumber(random) : BigInt(below(random, 64));
      return;
    case 11:
      replaceContent(random, child);
      return;
    case 12:
      children[at] = nested(random, child);
      return;
    default:
      children.splice(at, 0, anyValue(random, 1 + below(random, oneIn(random, 3) ? 400 : 40)));
  }
}

/** A field that is not expected where it goes. */
function strange(random: Random, lent: readonly Node[]): Node {
  if (lent.length > 0 && oneIn(random, 2)) return structuredClone(pick(random, lent));
  const rest = { number: boldNumber(random), bytes: random.bytes(below(random, 20)) };
  return node(BigInt(1 + below(random, 20)), pick(random, [0, 1, 2, 5, 3, 4]), rest);
}

function replaceContent(random: Random, child: Node): void {
  child.children = undefined;
  const long = random.bytes(4).map((byte) => byte & 127);
  child.bytes = pick(random, [
    new Uint8Array(0),
    Uint8Array.of(0xff, 0xfe, 0xc0, 0x80),
    Uint8Array.of(0xed, 0xa0, 0x80),
    utf8Encode('__proto__'),
    new Uint8Array(16),
    new Uint8Array(8),
    random.bytes(16),
    random.bytes(8),
    random.bytes(below(random, 40)),
    Uint8Array.from({ length: below(random, 5000) }, (_, i) => long[i & 3] as number),
  ]);
}

/** The field within itself. */
function nested(random: Random, child: Node): Node {
  let out = child;
  for (let depth = 1 + below(random, oneIn(random, 4) ? 300 : 5); depth > 0; depth--) {
    out = node(child.field, 2, { children: [out] });
  }
  return out;
}

/** An attribute whose value is arrays and maps in one another. */
function anyValue(random: Random, depth: number): Node {
  const key = node(1n, 2, { bytes: utf8Encode('deep') });
  let value: Node[] = [node(3n, 0, { number: 7n })];
  for (let level = 0; level < depth; level++) {
    value = oneIn(random, 2)
      ? [node(5n, 2, { children: [node(1n, 2, { children: value })] })]
      : [node(6n, 2, { children: [node(1n, 2, { children: [key, node(2n, 2, { children: value })] })] })];
  }
  return node(pick(random, [9n, 1n, 3n]), 2, { children: [key, node(2n, 2, { children: value })] });
}
