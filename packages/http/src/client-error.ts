import type { Socket } from 'node:net';
import { systemErrorCode } from '@vivace/kernel';

/** The code of the error that node:http has for a request that was not complete in time. */
const REQUEST_TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT';

export function isRequestTimeout(error: Error): boolean {
  return systemErrorCode(error) === REQUEST_TIMEOUT;
}

/** What is no HTTP request gets an answer that says so. Reset connections get none. */
export function answerClientError(error: Error, socket: Socket): void {
  if (!socket.writable || systemErrorCode(error) === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, text] = clientErrorText(systemErrorCode(error) ?? '');
  const body = `${text}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Half closed is not closed: whoever sends garbage may never close its side.
  socket.destroySoon();
}

function clientErrorText(code: string): [status: string, text: string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'the headers are too large: send fewer or shorter ones'];
    case REQUEST_TIMEOUT:
      return ['408 Request Timeout', 'the request was not complete in time: send it again'];
    default:
      return ['400 Bad Request', 'this is not an HTTP request: the port takes HTTP/1.1 and HTTP/2'];
  }
}
