import { parseArgs } from 'node:util';
import { startS3Server } from './s3-server.ts';
import { type S3Weather, S3WeatherPlan } from './s3-weather.ts';

/**
 * The embedded S3 server as a program: `node s3-server-main.ts --port 0 --bucket b [--host H] [--ignore-conditions]`. Prints
 * one line of JSON, `{ endpoint, bucket, accessKeyId, secretAccessKey, region }`, and runs until SIGINT or SIGTERM.
 * A parent with a channel to it sends the weather (null: fair), and is answered with the counts of what was before;
 * when the channel closes, the server ends.
 */
const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    bucket: { type: 'string', default: 'vivace' },
    'ignore-conditions': { type: 'boolean', default: false },
  },
});
const server = await startS3Server({
  host: values.host,
  port: Number(values.port),
  buckets: [values.bucket],
  ignoreConditions: values['ignore-conditions'],
});
const { endpoint, accessKeyId, secretAccessKey, region } = server;
console.log(JSON.stringify({ endpoint, bucket: values.bucket, accessKeyId, secretAccessKey, region }));
const stop = () => {
  void server.close();
  // A channel keeps the process alive.
  if (process.connected) process.disconnect();
};
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

let plan: S3WeatherPlan | undefined;
process.on('message', (order: { weather?: S3Weather | null }) => {
  const objects = server.bucket(values.bucket)?.objects ?? new Map<string, { bytes: Uint8Array }>();
  let bytes = 0;
  for (const object of objects.values()) bytes += object.bytes.length;
  process.send?.({ requests: server.requests, objects: objects.size, bytes, weather: plan?.counts() });
  if (order.weather === undefined) return;
  const next = order.weather === null ? undefined : new S3WeatherPlan(order.weather);
  plan = next;
  server.fault = next === undefined ? () => undefined : (request) => next.draw(request);
});
process.once('disconnect', stop);
