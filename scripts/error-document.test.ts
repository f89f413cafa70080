import { expect, test } from 'vitest';
import { renderErrorDocument, staleAdvice } from './error-document.ts';
import { errorSitesIn, errorSitesOf } from './error-sites.ts';
import { readPackages, readText } from './source-tree.ts';

test('docs/errors.md is what the source says; npm run docs writes it', () => {
  expect(readText('docs/errors.md')).toBe(renderErrorDocument());
});

test('advice is for codes that exist', () => {
  expect(staleAdvice()).toEqual([]);
});

test('the code of every error can be told from the source, or is handed on from another error', () => {
  expect(readPackages().flatMap((member) => errorSitesOf(member).unclear)).toEqual([
    // An error that another process has answered with.
    'packages/http/src/grpc-status.ts: kind, code',
    // The function that makes `data` errors of its callers' codes.
    "packages/kernel/src/errors.ts: 'data', code",
    // An error that another thread has thrown.
    'packages/kernel/src/worker.ts: kind, code',
    // An error that another process has answered with, too.
    "packages/rpc/src/calls/call-error.ts: isErrorKind(kind) ? kind : 'internal', code",
    // What has become of one of several requests in a call to another process.
    "packages/rpc/src/push-messages.ts: isErrorKind(kind) ? kind : 'internal', code",
  ]);
});

test('errors are found in every form', () => {
  const text = `
const FULL = 'all-full';
throw new VivaceError('limited', FULL, \`full: \${sizes.map((size) => \`\${size})\`)} bytes\`);
throw dataError('odd', 'a (comma), and ' + "a bracket) too", cause);
throw new VivaceError(kept ? 'data' : 'internal', 'kept', text);
// new VivaceError('invalid', 'comment', 'no')
function refuse(code: string, what: string): VivaceError {
  return new VivaceError('invalid', code, what);
}
refuse('helped', \`no \${thing}\`);
const table = { a: ['conflict', 'row', 'somebody'], b: ['neither', 'kind', 'x'] };
rethrow(new VivaceError(other.kind, other.code, other.message));
new VivaceError('invalid', codeOf(this), 'who knows');
`;
  const { sites, unclear } = errorSitesIn({ path: 'a.ts', text, imports: [] });
  expect(sites.map(({ kind, code, message }) => [kind, code, message])).toEqual([
    ['limited', 'all-full', 'full: … bytes'],
    ['data', 'odd', 'a (comma), and a bracket) too'],
    ['data', 'kept', undefined],
    ['internal', 'kept', undefined],
    ['invalid', 'helped', 'no …'],
    ['conflict', 'row', 'somebody'],
  ]);
  expect(unclear).toEqual(["a.ts: 'invalid', codeOf(this)"]);
});
