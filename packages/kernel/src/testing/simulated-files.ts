import path from 'node:path';
import type { Files, ReadableFile } from '../files.ts';
import type { Random } from '../random.ts';
import type { WritableFile } from '../writable-file.ts';
import { SimulatedData } from './simulated-data.ts';

/** One step that a simulated disk takes for its caller. */
export interface FileOperation {
  /** 1, 2, 3 … in the order the operations began. */
  number: number;
  name: FileOperationName;
  /** Absolute. */
  path: string;
}

export type FileOperationName =
  | 'create'
  | 'open'
  | 'read'
  | 'append'
  | 'sync'
  | 'close'
  | 'link'
  | 'rename'
  | 'unlink'
  | 'makeDirectory'
  | 'removeDirectory'
  | 'readDirectory'
  | 'stat'
  | 'truncate'
  | 'syncDirectory';

export interface SimulatedFilesOptions {
  /** Awaited before and after the effect of every operation, so that a seeded scheduler can interleave. */
  pause?: (operation: FileOperation) => Promise<void>;
  /**
   * Asked for every operation: an error code makes it fail. A failing append writes half of its bytes; a
   * failing sync loses what it should have kept, and later syncs succeed.
   */
  fault?: (operation: FileOperation) => 'ENOSPC' | 'EIO' | undefined;
  /** File bytes that fit; beyond it ENOSPC, and an append writes what still fits. */
  capacityBytes?: number;
  /** Modification times. */
  nowMs?: () => number;
}

interface FileNode {
  kind: 'file';
  data: SimulatedData;
  modifiedMs: number;
}

interface DirectoryNode {
  kind: 'directory';
  entries: Map<string, Node>;
  durable: Map<string, Node>;
  /** Changes of `entries` that `durable` has not seen. */
  changes: Change[];
}

type Node = FileNode | DirectoryNode;

interface Change {
  name: string;
  node: Node | undefined;
  /** The changes of one rename survive together or not at all. */
  operation: number;
  /** A sync of the directory failed after this change: no later sync makes it durable. */
  doubtful: boolean;
}

/**
 * A file system in memory that remembers what is not synced, so that a test can cut the power: `crash`
 * gives the disk as it may be found afterwards. It promises no more than `Files` does: bytes survive a
 * `sync` of their file, names a `syncDirectory` of their directory; of everything else any part may
 * survive. Paths are absolute or relative to `/`.
 */
export class SimulatedFiles implements Files {
  fault: SimulatedFilesOptions['fault'];
  capacityBytes: number;
  readonly #pause: SimulatedFilesOptions['pause'];
  readonly #nowMs: () => number;
  readonly #counts = new Map<FileOperationName, number>();
  #operations = 0;
  #root = newDirectory();
  #dead = false;

  constructor(options: SimulatedFilesOptions = {}) {
    this.fault = options.fault;
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#pause = options.pause;
    this.#nowMs = options.nowMs ?? (() => 0);
  }

  /** Operations begun so far, all or those of one name. */
  count(name?: FileOperationName): number {
    return name === undefined ? this.#operations : (this.#counts.get(name) ?? 0);
  }

  /** Bytes in files that have a name. */
  get usedBytes(): number {
    const files = new Set<FileNode>();
    collect(this.#root, files);
    let bytes = 0;
    for (const file of files) bytes += file.data.size;
    return bytes;
  }

  /**
   * Cuts the power. Returns the disk as the next start finds it; this one is dead: everything that its
   * processes still try, or were waiting for, fails with EIO and changes nothing.
   */
  crash(random: Random, options: SimulatedFilesOptions = {}): SimulatedFiles {
    this.#dead = true;
    const after = new SimulatedFiles(options);
    const survived = new Map<number, boolean>();
    const nodes = new Map<Node, Node>();
    const revive = (node: Node): Node => {
      const known = nodes.get(node);
      if (known) return known;
      if (node.kind === 'file') {
        const file: FileNode = { kind: 'file', data: node.data.crash(random), modifiedMs: node.modifiedMs };
        nodes.set(node, file);
        return file;
      }
      const directory = newDirectory();
      nodes.set(node, directory);
      const entries = new Map(node.durable);
      for (const change of node.changes) {
        let survives = survived.get(change.operation);
        if (survives === undefined) {
          survives = random.u32() % 2 === 0;
          survived.set(change.operation, survives);
        }
        if (survives) set(entries, change.name, change.node);
      }
      for (const [name, child] of entries) directory.entries.set(name, revive(child));
      directory.durable = new Map(directory.entries);
      return directory;
    };
    after.#root = revive(this.#root) as DirectoryNode;
    return after;
  }

  /**
   * Ends the process and not the machine (`kill -9`). Returns the disk with everything written, synced or not;
   * this one is dead as after `crash`.
   */
  kill(options: SimulatedFilesOptions = {}): SimulatedFiles {
    this.#dead = true;
    const after = new SimulatedFiles(options);
    after.#root = this.#root;
    // The changes of one operation stay together, and no later one is taken for it.
    after.#operations = this.#operations;
    return after;
  }

  async create(file: string): Promise<WritableFile> {
    return this.#run('create', file, (fault, operation) => {
      if (fault) throw systemError(fault, 'open', file);
      const { directory, name } = this.#parent(file, 'open');
      if (directory.entries.has(name)) throw systemError('EEXIST', 'open', file);
      this.#checkSpace('open', file);
      const node: FileNode = { kind: 'file', data: new SimulatedData(), modifiedMs: this.#nowMs() };
      this.#change(directory, name, node, operation);
      return this.#writable(node, file);
    });
  }

  async open(file: string): Promise<ReadableFile> {
    return this.#run('open', file, (fault) => {
      if (fault) throw systemError(fault, 'open', file);
      const { data } = this.#file(file, 'open');
      return {
        read: (position, length) =>
          this.#run('read', file, (readFault) => {
            if (readFault) throw systemError(readFault, 'read', file);
            return data.read(position, length);
          }),
        size: () => this.#run('stat', file, () => data.size),
        close: () => this.#run('close', file, () => undefined),
      };
    });
  }

  async readFile(file: string): Promise<Uint8Array> {
    return this.#run('read', file, (fault) => {
      if (fault) throw systemError(fault, 'read', file);
      const { data } = this.#file(file, 'open');
      return data.read(0, data.size);
    });
  }

  async link(existing: string, name: string): Promise<void> {
    return this.#run('link', name, (fault, operation) => {
      if (fault) throw systemError(fault, 'link', name);
      const node = this.#file(existing, 'link');
      const target = this.#parent(name, 'link');
      if (target.directory.entries.has(target.name)) throw systemError('EEXIST', 'link', name);
      this.#checkSpace('link', name);
      this.#change(target.directory, target.name, node, operation);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    return this.#run('rename', to, (fault, operation) => {
      if (fault) throw systemError(fault, 'rename', to);
      const node = this.#node(from, 'rename');
      const source = this.#parent(from, 'rename');
      const target = this.#parent(to, 'rename');
      const replaced = target.directory.entries.get(target.name);
      if (replaced === node) return;
      if (replaced && replaced.kind !== node.kind) {
        throw systemError(replaced.kind === 'directory' ? 'EISDIR' : 'ENOTDIR', 'rename', to);
      }
      if (replaced?.kind === 'directory' && replaced.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', to);
      this.#change(source.directory, source.name, undefined, operation);
      this.#change(target.directory, target.name, node, operation);
    });
  }

  async unlink(file: string): Promise<void> {
    return this.#run('unlink', file, (fault, operation) => {
      if (fault) throw systemError(fault, 'unlink', file);
      this.#file(file, 'unlink');
      const { directory, name } = this.#parent(file, 'unlink');
      this.#change(directory, name, undefined, operation);
    });
  }

  async makeDirectory(directory: string): Promise<void> {
    const made: string[] = [];
    const parts = absolute(directory).split('/').filter(Boolean);
    for (let i = 1; i <= parts.length; i++) {
      const at = `/${parts.slice(0, i).join('/')}`;
      if (this.#exists(at)) continue;
      await this.#run('makeDirectory', at, (fault, operation) => {
        if (fault) throw systemError(fault, 'mkdir', at);
        const parent = this.#parent(at, 'mkdir');
        if (parent.directory.entries.has(parent.name)) return;
        this.#checkSpace('mkdir', at);
        this.#change(parent.directory, parent.name, newDirectory(), operation);
        made.push(at);
      });
    }
    if (this.#node(directory, 'mkdir').kind !== 'directory') throw systemError('EEXIST', 'mkdir', directory);
    for (const at of made.reverse()) await this.syncDirectory(path.posix.dirname(at));
  }

  async removeDirectory(directory: string): Promise<void> {
    return this.#run('removeDirectory', directory, (fault, operation) => {
      if (fault) throw systemError(fault, 'rmdir', directory);
      const node = this.#directory(directory, 'rmdir');
      if (node.entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', directory);
      const parent = this.#parent(directory, 'rmdir');
      this.#change(parent.directory, parent.name, undefined, operation);
    });
  }

  async readDirectory(directory: string): Promise<{ name: string; directory: boolean }[]> {
    return this.#run('readDirectory', directory, (fault) => {
      if (fault) throw systemError(fault, 'scandir', directory);
      const node = this.#directory(directory, 'scandir');
      return Array.from(node.entries, ([name, child]) => ({ name, directory: child.kind === 'directory' }));
    });
  }

  async stat(file: string): Promise<{ size: number; modifiedMs: number }> {
    return this.#run('stat', file, (fault) => {
      if (fault) throw systemError(fault, 'stat', file);
      const node = this.#node(file, 'stat');
      return node.kind === 'file'
        ? { size: node.data.size, modifiedMs: node.modifiedMs }
        : { size: 4096, modifiedMs: 0 };
    });
  }

  async truncate(file: string, size: number): Promise<void> {
    const node = await this.#run('truncate', file, (fault) => {
      if (fault) throw systemError(fault, 'truncate', file);
      const found = this.#file(file, 'truncate');
      found.data.truncate(size);
      return found;
    });
    await this.#sync(node, file);
  }

  async syncDirectory(directory: string): Promise<void> {
    return this.#run('syncDirectory', directory, (fault) => {
      const node = this.#directory(directory, 'fsync');
      if (fault) {
        for (const change of node.changes) change.doubtful = true;
        throw systemError(fault, 'fsync', directory);
      }
      const settled = new Set<string>();
      const doubtful: Change[] = [];
      for (const change of node.changes.toReversed()) {
        if (change.doubtful) {
          if (!settled.has(change.name)) doubtful.unshift(change);
        } else if (!settled.has(change.name)) {
          settled.add(change.name);
          set(node.durable, change.name, change.node);
        }
      }
      node.changes = doubtful;
    });
  }

  #writable(node: FileNode, file: string): WritableFile {
    return {
      append: (parts) =>
        this.#run('append', file, (fault) => {
          const length = parts.reduce((sum, part) => sum + part.length, 0);
          const space = this.capacityBytes === Number.POSITIVE_INFINITY ? length : this.capacityBytes - this.usedBytes;
          let left = fault ? Math.floor(length / 2) : Math.max(0, Math.min(length, space));
          const failed = left < length || fault !== undefined;
          for (const part of parts) {
            node.data.append(part.subarray(0, left));
            left -= Math.min(left, part.length);
          }
          node.modifiedMs = this.#nowMs();
          if (failed) throw systemError(fault ?? 'ENOSPC', 'write', file);
        }),
      sync: () => this.#sync(node, file),
      close: () => this.#run('close', file, () => undefined),
    };
  }

  #sync(node: FileNode, file: string): Promise<void> {
    return this.#run('sync', file, (fault) => {
      if (fault) {
        node.data.failSync();
        throw systemError(fault, 'fdatasync', file);
      }
      node.data.sync();
    });
  }

  async #run<T>(
    name: FileOperationName,
    file: string,
    effect: (fault: 'ENOSPC' | 'EIO' | undefined, number: number) => T,
  ): Promise<T> {
    const operation: FileOperation = { number: ++this.#operations, name, path: absolute(file) };
    this.#counts.set(name, this.count(name) + 1);
    await this.#pause?.(operation);
    this.#checkAlive(name, file);
    const result = effect(this.fault?.(operation), operation.number);
    await this.#pause?.(operation);
    this.#checkAlive(name, file);
    return result;
  }

  #checkAlive(name: string, file: string): void {
    if (this.#dead) throw systemError('EIO', `${name} after the power loss`, file);
  }

  #checkSpace(call: string, file: string): void {
    if (this.capacityBytes !== Number.POSITIVE_INFINITY && this.usedBytes >= this.capacityBytes) {
      throw systemError('ENOSPC', call, file);
    }
  }

  #change(directory: DirectoryNode, name: string, node: Node | undefined, operation: number): void {
    set(directory.entries, name, node);
    directory.changes.push({ name, node, operation, doubtful: false });
  }

  #exists(file: string): boolean {
    let node: Node | undefined = this.#root;
    for (const part of absolute(file).split('/').filter(Boolean)) {
      node = node?.kind === 'directory' ? node.entries.get(part) : undefined;
    }
    return node !== undefined;
  }

  #node(file: string, call: string): Node {
    let node: Node = this.#root;
    for (const part of absolute(file).split('/').filter(Boolean)) {
      if (node.kind !== 'directory') throw systemError('ENOTDIR', call, file);
      const next: Node | undefined = node.entries.get(part);
      if (!next) throw systemError('ENOENT', call, file);
      node = next;
    }
    return node;
  }

  #file(file: string, call: string): FileNode {
    const node = this.#node(file, call);
    if (node.kind !== 'file') throw systemError('EISDIR', call, file);
    return node;
  }

  #directory(directory: string, call: string): DirectoryNode {
    const node = this.#node(directory, call);
    if (node.kind !== 'directory') throw systemError('ENOTDIR', call, directory);
    return node;
  }

  #parent(file: string, call: string): { directory: DirectoryNode; name: string } {
    const at = absolute(file);
    return { directory: this.#directory(path.posix.dirname(at), call), name: path.posix.basename(at) };
  }
}

function newDirectory(): DirectoryNode {
  return { kind: 'directory', entries: new Map(), durable: new Map(), changes: [] };
}

function collect(node: Node, files: Set<FileNode>): void {
  if (node.kind === 'file') files.add(node);
  else for (const child of node.entries.values()) collect(child, files);
}

function set(entries: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node) entries.set(name, node);
  else entries.delete(name);
}

function absolute(file: string): string {
  return path.posix.resolve('/', file);
}

function systemError(code: string, call: string, file: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${call} '${file}'`), { code, syscall: call, path: file });
}
