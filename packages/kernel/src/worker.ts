import { setFlagsFromString } from 'node:v8';
import { isMainThread, parentPort, type Transferable, Worker, workerData } from 'node:worker_threads';
import { type ErrorKind, toVivaceError, VivaceError } from './errors.ts';

/**
 * Calls into a worker thread: one message a call, one a reply, answered in the order in which the handlers
 * finish. A handler that does not wait answers calls in their order.
 */
export interface WorkerClient {
  call(method: string, argument: unknown, transfer?: readonly Transferable[]): Promise<unknown>;
  /** Calls sent and not answered. */
  readonly pending: number;
  stop(): Promise<void>;
}

interface Request {
  id: number;
  method: string;
  argument: unknown;
}

type Reply =
  | { id: number; value: unknown }
  | { id: number; failure: { kind: ErrorKind; code: string; message: string; stack: string | undefined } };

/** What a handler returns to hand buffers over instead of copying them. */
export class Transferred {
  readonly value: unknown;
  readonly transfer: readonly Transferable[];

  constructor(value: unknown, transfer: readonly Transferable[]) {
    this.value = value;
    this.transfer = transfer;
  }
}

export interface WorkerOptions {
  /** The module, which calls `serveWorker`. */
  module: URL;
  /** What `workerArgument` gives the worker. */
  argument: unknown;
  /** The worker ended without `stop`; every pending call has failed. */
  onExit: (error: VivaceError) => void;
  /** What the worker may call here with the function that `serveWorker` returns. */
  handlers?: Handlers;
  /**
   * Megabytes of objects that the thread makes before it collects those that are gone. Default: V8's own, which lets a
   * busy thread have some 150 MB of them.
   */
  youngGenerationMb?: number;
}

export type Handlers = ReadonlyMap<string, (argument: never) => unknown>;

/**
 * To be called before a thread starts. Threads strip types, which Node does in WebAssembly; where they come and go, V8
 * 13.6 may use freed memory when it compiles what WebAssembly calls JavaScript through, after a thousand calls, and end the
 * process (`Check failed: jit_page.has_value()`): one process of some hundred. After this so many calls never come.
 */
export function keepWasmCallsGeneric(): void {
  setFlagsFromString('--wasm-wrapper-tiering-budget=2147483647');
}

interface Port {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
}

/** Starts a worker thread. A thread without pending calls does not keep the process alive. */
export function startWorker({
  module,
  argument,
  onExit,
  handlers = new Map(),
  youngGenerationMb,
}: WorkerOptions): WorkerClient {
  const limits = youngGenerationMb === undefined ? {} : { maxYoungGenerationSizeMb: youngGenerationMb };
  keepWasmCallsGeneric();
  const worker = new Worker(module, { workerData: argument, resourceLimits: limits });
  const calls = new Calls(worker);
  let stopped = false;
  let failure: VivaceError | undefined;
  worker.on('message', (message: Request | Reply) => {
    if ('method' in message) answer(worker, handlers, message);
    else {
      calls.settle(message);
      if (calls.pending === 0) worker.unref();
    }
  });
  worker.on('error', (error) => {
    failure = new VivaceError('internal', 'worker-failed', `a worker thread failed: ${error.message}`, {
      cause: error,
    });
  });
  worker.on('exit', (code) => {
    failure ??= new VivaceError('unavailable', 'worker-ended', `a worker thread ended with code ${code}`);
    calls.failAll(failure);
    if (!stopped) onExit(failure);
  });
  worker.unref();
  return {
    get pending() {
      return calls.pending;
    },
    call(method, callArgument, transfer = []) {
      if (failure || stopped) {
        return Promise.reject(
          failure ?? new VivaceError('unavailable', 'worker-stopped', 'the worker thread is stopped'),
        );
      }
      if (calls.pending === 0) worker.ref();
      return calls.send(method, callArgument, transfer);
    },
    async stop() {
      stopped = true;
      await worker.terminate();
    },
  };
}

/** As `startWorker`, at the first call: for work that a process may never have, or not for an hour. */
export function startWorkerOnDemand(options: WorkerOptions): WorkerClient {
  let worker: WorkerClient | undefined;
  let stopped = false;
  return {
    get pending() {
      return worker?.pending ?? 0;
    },
    async call(method, argument, transfer) {
      if (stopped) throw new VivaceError('unavailable', 'worker-stopped', 'the worker thread is stopped');
      worker ??= startWorker(options);
      return await worker.call(method, argument, transfer);
    },
    async stop() {
      stopped = true;
      await worker?.stop();
    },
  };
}

/** Inside a worker: answers calls by name. Returns what calls the handlers of the thread that started it. */
export function serveWorker(handlers: Handlers): WorkerClient['call'] {
  const port = parentPort;
  if (isMainThread || port === null)
    throw new VivaceError('internal', 'not-a-worker', 'this module runs in a worker thread');
  const calls = new Calls(port);
  port.on('message', (message: Request | Reply) => {
    if ('method' in message) answer(port, handlers, message);
    else calls.settle(message);
  });
  return (method, argument, transfer = []) => calls.send(method, argument, transfer);
}

/** Inside a worker: what it was started with. */
export function workerArgument(): unknown {
  return workerData;
}

/** Calls sent over a port and not answered yet. */
class Calls {
  readonly #port: Port;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: VivaceError) => void }>();
  #nextId = 1;

  constructor(port: Port) {
    this.#port = port;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  send(method: string, argument: unknown, transfer: readonly Transferable[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#port.postMessage({ id, method, argument } satisfies Request, transfer);
    });
  }

  settle(reply: Reply): void {
    const call = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('failure' in reply) {
      const { kind, code, message, stack } = reply.failure;
      const error = new VivaceError(kind, code, message);
      if (stack !== undefined) error.stack = stack;
      call?.reject(error);
    } else call?.resolve(reply.value);
  }

  failAll(error: VivaceError): void {
    for (const call of this.#waiting.values()) call.reject(error);
    this.#waiting.clear();
  }
}

function answer(port: Port, handlers: Handlers, { id, method, argument }: Request): void {
  const fail = (error: unknown) => {
    const { kind, code, message, stack } = toVivaceError(error);
    port.postMessage({ id, failure: { kind, code, message, stack } } satisfies Reply);
  };
  const reply = (value: unknown) => {
    if (value instanceof Transferred) port.postMessage({ id, value: value.value } satisfies Reply, value.transfer);
    else port.postMessage({ id, value } satisfies Reply);
  };
  try {
    const handler = handlers.get(method);
    if (!handler) throw new VivaceError('internal', 'no-such-method', `the other thread has no method ${method}`);
    const value = handler(argument as never);
    if (value instanceof Promise) value.then(reply).catch(fail);
    else reply(value);
  } catch (error) {
    fail(error);
  }
}
