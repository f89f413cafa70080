import type { ChildProcess } from 'node:child_process';
import { collectProblems, type LogProblems } from '../harness/process-log.ts';
import { residentMib } from '../harness/process-memory.ts';
import { startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';
import type { Place } from './network.ts';

export type Kind = 'distributor' | 'ingester' | 'querier' | 'query-frontend' | 'compactor';

/** A time in which a process did not answer. */
export interface Outage {
  how: 'killed' | 'suspended' | 'cut off';
  fromMs: number;
  /** When it said that it is ready, or went on; undefined until then. */
  untilMs: number | undefined;
}

/** By listener. */
export interface MemberPorts {
  http: number;
  otlpHttp: number;
  otlpGrpc: number;
  grpc: number;
}

interface MemberOptions {
  kind: Kind;
  name: string;
  ports: MemberPorts;
  place: Place;
  env: Record<string, string>;
  problems: LogProblems;
  /** Told when it ends by itself. */
  onDied: (error: Error) => void;
}

const OUTPUT_KEPT = 10_000;
/** Many begin at the same time, and others are at work. */
const READY_TIMEOUT_MS = 110_000;

/** One of the processes, at the same addresses in all of its lives; nothing on its disk survives. */
export class Member {
  readonly #options: MemberOptions;
  readonly outages: Outage[] = [];
  /** Of each start, milliseconds until it was ready. */
  readonly starts: number[] = [];
  peakRssMib = 0;
  #child: ChildProcess | undefined;
  #server: TestServer | undefined;
  #directory: ReturnType<typeof temporaryDirectory> | undefined;
  /** The end of its process is ours. */
  #ending = false;
  #closed = false;

  constructor(options: MemberOptions) {
    this.#options = options;
  }

  get kind(): Kind {
    return this.#options.kind;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Where it answers while it lives. */
  get http(): string {
    return `http://${this.#options.place.host}:${this.#options.ports.http}`;
  }

  get otlpHttp(): string {
    return `http://${this.#options.place.host}:${this.#options.ports.otlpHttp}`;
  }

  get otlpGrpc(): string {
    return `${this.#options.place.host}:${this.#options.ports.otlpGrpc}`;
  }

  get isReady(): boolean {
    return this.#server !== undefined && this.outages.every(({ untilMs }) => untilMs !== undefined);
  }

  /** A new process. Resolves when it is ready. */
  async start(): Promise<void> {
    const { kind, name, ports, place, env, onDied } = this.#options;
    const beginMs = Date.now();
    if (this.#closed) throw new Error(`${name} is closed`);
    this.#ending = false;
    const directory = temporaryDirectory();
    this.#directory = directory;
    const { http, otlpHttp, otlpGrpc, grpc } = ports;
    const listen = { http, 'otlp-http': otlpHttp, 'otlp-grpc': otlpGrpc, grpc };
    const server = await startServer({
      dataDir: directory.path,
      launcher: place.launcher,
      readyTimeoutMs: READY_TIMEOUT_MS,
      flags: [
        '--target',
        kind,
        '--bind',
        place.host,
        ...Object.entries(listen).flatMap(([key, port]) => [`--${key}-port`, `${port}`]),
      ],
      env: { ...env, VIVACE_INGESTER_INSTANCE_NAME: name },
      onSpawn: (child) => {
        this.#child = child;
        if (this.#closed) child.kill('SIGKILL');
        child.once('exit', (code, signal) => {
          if (this.#ending || this.#child !== child) return;
          const output = this.#server?.output().slice(-OUTPUT_KEPT) ?? '';
          onDied(new Error(`${name} ended by itself (${signal ?? code}):\n${output}`));
        });
      },
    });
    this.#server = server;
    this.starts.push(Date.now() - beginMs);
    this.#back();
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#away('killed');
    await this.#end();
  }

  /** SIGSTOP: it keeps its connections and its memory, and does nothing. */
  suspend(): void {
    this.#away('suspended');
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
    this.#back();
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    this.#ending = true;
    const code = (await this.#server?.stop()) ?? null;
    await this.#end();
    return code;
  }

  /** Whatever state it is in. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  sampleMemory(): void {
    if (this.#server !== undefined)
      this.peakRssMib = Math.max(this.peakRssMib, Math.round(residentMib(this.#child?.pid)));
  }

  /** The end of what it has written. */
  output(): string {
    return `${this.name}:\n${this.#server?.output().slice(-OUTPUT_KEPT) ?? ''}`;
  }

  #away(how: Outage['how']): void {
    this.outages.push({ how, fromMs: Date.now(), untilMs: undefined });
  }

  #back(): void {
    const outage = this.outages.at(-1);
    if (outage !== undefined) outage.untilMs ??= Date.now();
  }

  async #end(): Promise<void> {
    this.#ending = true;
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
    }
    if (this.#server !== undefined) collectProblems(this.#options.problems, this.#server.output());
    this.#server = undefined;
    this.#directory?.remove();
  }
}
