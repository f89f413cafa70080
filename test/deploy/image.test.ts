import { execFile, spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../harness/server.ts';

// What deploy/Dockerfile puts into the image, without an engine: the same root file system, as the root of a process.

const root = path.resolve(import.meta.dirname, '../..');
const isPossible = process.platform === 'linux' && process.getuid?.() === 0;
if (!isPossible) console.log('image: SKIPPED, only root on Linux may change the root of a process');

test.skipIf(!isPossible)(
  'the root of the image has all that Vivace needs, and no shell',
  { timeout: 180_000 },
  async () => {
    const directory = temporaryDirectory();
    onTestFinished(() => directory.remove());
    const image = path.join(directory.path, 'image');
    await promisify(execFile)(process.execPath, [path.join(root, 'deploy/image/assemble.mjs'), image]);
    for (const shell of ['bin/sh', 'usr/bin/sh', 'bin/bash', 'bin/busybox', 'usr/bin/env']) {
      expect(statSync(path.join(image, shell), { throwIfNoEntry: false })).toBeUndefined();
    }

    const ports = ['--http-port', '0', '--otlp-grpc-port', '0', '--otlp-http-port', '0'];
    const child = spawn(
      'chroot',
      [
        '--userspec=65532:65532',
        image,
        '/usr/local/bin/node',
        '/app/packages/vivace/src/main.ts',
        '--data-dir',
        '/data',
        ...ports,
      ],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        // Only administrators have the place of chroot in their path.
        env: {
          PATH: `${process.env.PATH}:/usr/sbin`,
          VIVACE_SERVER_LOG_FORMAT: 'json',
          VIVACE_INGESTER_WARM_UP: 'false',
          VIVACE_QUERIER_WARM_UP: 'false',
        },
      },
    );
    const exited = new Promise<number | null>((resolve, reject) => child.once('exit', resolve).once('error', reject));
    onTestFinished(() => void child.kill('SIGKILL'));
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const address = await new Promise<string>((resolve, reject) => {
      child.stderr.on('data', () => {
        const line = output.split('\n').find((one) => one.includes('"msg":"ready"') && one.endsWith('}'));
        if (line !== undefined) resolve((JSON.parse(line) as { http: string }).http);
      });
      exited.then(() => reject(new Error(output)), reject);
    });
    expect((await fetch(`http://${address}/ready`)).status).toBe(200);
    expect(statSync(`/proc/${child.pid}`).uid).toBe(65_532);
    child.kill('SIGTERM');
    expect(await exited, output).toBe(0);

    const bill = JSON.parse(readFileSync(path.join(image, 'app/sbom.cdx.json'), 'utf8')) as {
      bomFormat: string;
      components: { name: string; version: string; purl: string; licenses?: unknown }[];
    };
    expect(bill.bomFormat).toBe('CycloneDX');
    const names = new Map(bill.components.map((component) => [component.name, component]));
    for (const name of ['vivace', '@vivace/kernel', '@aws-sdk/client-s3', 'pino', 'node'])
      expect(names.has(name), name).toBe(true);
    // What only tests need is not shipped.
    for (const name of ['vitest', 'typescript', '@duckdb/node-api', 'testcontainers'])
      expect(names.has(name)).toBe(false);
    for (const { name, version, licenses } of bill.components) {
      expect(version, name).toMatch(/^\d+\.\d+/);
      if (name !== 'node') expect(licenses, name).toBeDefined();
    }
  },
);
