import { inspect } from 'node:util';
import { redactUrl } from '@vivace/config';
import { systemErrorCode, VivaceError } from '@vivace/kernel';

export interface StartFailure {
  /** 2 for a wrong command line, 1 for everything else. */
  exitCode: 1 | 2;
  /** `vivace: what: remedy`, one line; with `verbose` the stack follows. */
  text: string;
}

/** What a person is told when a start fails. Ours say it themselves; what the system says is put into words here. */
export function explainStartFailure(error: unknown, { verbose = false }: { verbose?: boolean } = {}): StartFailure {
  const usage = error instanceof VivaceError && error.code === 'usage';
  const line = `vivace: ${redactUrl(explain(error).replace(/\s*\n\s*/g, ' '))}\n`;
  return { exitCode: usage ? 2 : 1, text: verbose ? `${line}${redactUrl(inspect(error))}\n` : line };
}

function explain(error: unknown): string {
  if (error instanceof VivaceError && error.kind !== 'internal') return error.message;
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    const known = explainSystemError(at);
    if (known !== undefined) return known;
  }
  const message = error instanceof Error ? error.message : String(error);
  return `unexpected failure (${message}): this is a defect, --log-level debug shows where`;
}

function explainSystemError(error: Error & { path?: string }) {
  const code = systemErrorCode(error);
  const file = error.path ?? 'a file';
  switch (code ?? '') {
    case 'EACCES':
    case 'EPERM':
      return `no permission for ${file}: let this user read and write it, or choose another directory with --data-dir`;
    case 'EROFS':
      return `${file} is on a read-only file system: choose another directory with --data-dir`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `${file} is in the way of a directory: remove it, or choose another directory with --data-dir`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `no space left for ${file}: free some, or choose another directory with --data-dir`;
    case 'EMFILE':
    case 'ENFILE':
      return 'too many open files: raise the limit, ulimit -n 65536';
    default:
      return undefined;
  }
}
