import { expect, test } from 'vitest';
import { listenError } from './listen-error.ts';

test.each([
  ['EADDRINUSE', 'unavailable', /^port 80 on ::1 is taken by another program: .*--http-port/],
  ['EACCES', 'invalid', /^port 80 on ::1 may not be used by this user: choose a port above 1023 with --http-port$/],
  ['EADDRNOTAVAIL', 'invalid', /^this machine has no address ::1: .*--bind/],
  ['ENOTFOUND', 'invalid', /^this machine has no address ::1/],
  ['EMFILE', 'unavailable', /^cannot listen on port 80 on ::1: no luck$/],
])('%s is %s with a remedy on one line', (code, kind, message) => {
  const cause = Object.assign(new Error('no luck'), { code });
  const error = listenError(cause, { host: '::1', port: 80, portFlag: '--http-port' });
  expect(error).toMatchObject({ kind, cause, message: expect.stringMatching(message) as string });
});
