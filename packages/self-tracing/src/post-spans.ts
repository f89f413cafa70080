const TRACES_PATH = '/v1/traces';

/** Where an endpoint takes spans: OTLP's own path, unless it names one. */
export function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === '/') url.pathname = TRACES_PATH;
  return url.href;
}

/** Sends requests to an endpoint of OTLP over HTTP. */
export function createPost(endpoint: string): (body: Uint8Array<ArrayBuffer>, signal: AbortSignal) => Promise<number> {
  const url = tracesUrl(endpoint);
  const headers = { 'content-type': 'application/x-protobuf' };
  return async (body, signal) => {
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' });
    await response.body?.cancel();
    return response.status;
  };
}
