import type { AttributeScope, Place } from './ast.ts';

/** `text` is what stands in the query. */
export type Token = Place & { text: string } & (
    | { kind: 'end' }
    /** What cannot be read, and the reason. */
    | { kind: 'error'; message: string }
    | { kind: 'operator' }
    | { kind: 'identifier' }
    /** `span:` and its like: the name of an intrinsic follows. */
    | { kind: 'intrinsic-scope' }
    | { kind: 'attribute'; scope: AttributeScope; name: string; parent: boolean }
    | { kind: 'string'; value: string }
    | { kind: 'int'; value: bigint }
    | { kind: 'float'; value: number }
    | { kind: 'duration'; value: bigint }
  );

/** Everything that is not a name, a number or a string. The longest that fits is taken. */
export const OPERATOR_TOKENS: ReadonlySet<string> = new Set(
  '{ } ( ) , | = != =~ !~ > >= < <= + - * / % ^ ! && || >> << ~ !> !< !>> !<< &> &< &>> &<< &~'.split(' '),
);

/** Scopes of attributes, written with a point. */
export const ATTRIBUTE_SCOPES: ReadonlyMap<string, AttributeScope> = new Map([
  ['span', 'span'],
  ['resource', 'resource'],
  ['event', 'event'],
  ['link', 'link'],
  ['instrumentation', 'instrumentation'],
]);

/** Scopes of intrinsics, written with a colon. */
export const INTRINSIC_SCOPES: ReadonlySet<string> = new Set(['trace', 'span', 'event', 'link', 'instrumentation']);

/** White space ends a name: the characters for which Go's unicode.IsSpace holds. */
const SPACE = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const NAME_END = /[{}()=~!<>&|^,]/;

/** Whether the character ends the name of an attribute, outside of quotes. */
export function endsName(character: string): boolean {
  return SPACE.test(character) || NAME_END.test(character);
}

/** The name as it is written after its scope: bare, or in quotes where it would not read as one name. */
function writtenName(scope: AttributeScope, name: string): string {
  const bare = name !== '' && !name.includes('"') && !SPACE.test(name) && !NAME_END.test(name);
  // `.5` is a number.
  if (bare && !(scope === 'any' && /^\d/.test(name))) return name;
  return `"${name.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** The attribute in its normal form: `span.foo`, `.foo`, `span."a b"`. */
export function writtenAttribute(scope: AttributeScope, name: string): string {
  return `${scope === 'any' ? '' : scope}.${writtenName(scope, name)}`;
}
