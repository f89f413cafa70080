import { parseArgs } from 'node:util';
import { startS3Server } from './s3-server.ts';

/**
 * The embedded S3 server as a program: `node s3-server-main.ts --port 0 --bucket b [--ignore-conditions]`. Prints
 * one line of JSON, `{ endpoint, bucket, accessKeyId, secretAccessKey, region }`, and runs until SIGINT or SIGTERM.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    bucket: { type: 'string', default: 'vivace' },
    'ignore-conditions': { type: 'boolean', default: false },
  },
});
const server = await startS3Server({
  port: Number(values.port),
  buckets: [values.bucket],
  ignoreConditions: values['ignore-conditions'],
});
const { endpoint, accessKeyId, secretAccessKey, region } = server;
console.log(JSON.stringify({ endpoint, bucket: values.bucket, accessKeyId, secretAccessKey, region }));
const stop = () => void server.close();
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
