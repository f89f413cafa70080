import { httpStatus } from '../packages/api/src/problem.ts';
import { grpcStatusOf } from '../packages/http/src/grpc-status.ts';
import { type ErrorKind, VivaceError } from '../packages/kernel/src/index.ts';
import { errorStatus } from '../packages/receivers/src/error-status.ts';
import { type ErrorSite, errorSitesOf } from './error-sites.ts';
import { readPackages } from './source-tree.ts';

/** What each kind means and what to do about it. */
const KINDS: Record<ErrorKind, [meaning: string, remedy: string]> = {
  invalid: ['the request or a setting is wrong, and will be wrong again', 'change it as the message says'],
  unauthorized: ['who asks may not, or has not said who it is', 'give what the message asks for'],
  'not-found': ['there is no such thing', 'check the name'],
  conflict: ['somebody else was first', 'try again, or end the other one'],
  limited: [
    'over a limit',
    'wait as long as `Retry-After` or RetryInfo says; without them, send less or raise the limit',
  ],
  unavailable: ['something this needs is down, full or slow', 'try again; exporters do by themselves'],
  deadline: ['it took too long', 'try again, or ask for less'],
  canceled: ['whoever asked went away, or the server was stopped', 'nothing'],
  data: [
    'bytes are not what their format says',
    'what a client sent: repair the client. What is stored: see *Damaged data* below',
  ],
  internal: ['a defect of Vivace', 'report it, with the log of the server around it'],
};

/** By code, where kind and message do not say enough. */
const ADVICE: Record<string, string> = {
  'commit-unknown': 'nothing is lost: the spans are in the log, and the commit is tried again when the store answers',
  'directory-locked': 'stop the other process, or give this one a directory of its own with `--data-dir`',
  'heads-full':
    'see whether the store answers (`vivace_object_store_request_duration_seconds`); if it does, this is too much for one process',
  'log-full': 'blocks cannot be written: see whether the store answers, and its space',
  'log-slow':
    'the disk below `wal/` does not keep up with its syncs: a faster disk, or larger batches from the senders',
  'log-write': 'the disk below `wal/` fails or is full; writing goes on by itself when it works again',
  'log-failed': 'the disk below `wal/` fails or is full; writing goes on by itself when it works again',
  'manifest-damaged': 'see *Damaged data* below',
  'manifest-history':
    'somebody restored, copied over or edited the bucket: stop, find out who, and start again with the newest root',
  'manifest-page-missing': 'somebody deleted objects below `tenants/`: restore them from a backup',
  'otlp-malformed': 'repair the sender: nothing of the request was stored',
  overloaded:
    'larger than `limits.max_request_bytes` all at once: fewer senders at a time, or more memory and a higher limit',
  'over-burst': 'smaller batches, or a higher `limits.ingestion_burst_bytes`',
  'over-rate': 'less, or a higher `limits.ingestion_rate_bytes`',
  'request-too-large': 'smaller batches, or a higher `limits.max_request_bytes`. Over HTTP this one is 413',
  'root-full': 'too many streams and pages for one root: please report it',
  'too-many-lookups': 'ask for fewer traces at once',
  'trace-incomplete':
    'the reason is in the message; `/api/v2/traces/{id}` gives the part that could be read, marked PARTIAL',
  'worker-failed': 'the process ends and loses nothing that was acknowledged: have it started again, and report it',
};

/** `docs/errors.md`: every code, from the source. */
export function renderErrorDocument(): string {
  const parts = [INTRODUCTION, kindTable(), DAMAGE];
  for (const member of readPackages()) {
    const { sites } = errorSitesOf(member);
    if (sites.length > 0) parts.push(`## ${member.shortName}\n\n${codeTable(sites, member.directory)}`);
  }
  return `${parts.join('\n\n')}\n`;
}

/** Advice for codes that the source does not have any more. */
export function staleAdvice(): string[] {
  const codes = new Set(readPackages().flatMap((member) => errorSitesOf(member).sites.map(({ code }) => code)));
  return Object.keys(ADVICE).filter((code) => !codes.has(code));
}

const INTRODUCTION = `<!-- Made from the source by \`npm run docs\`; a test keeps it current. -->

# Errors

An error has a *kind*, which decides the status code, and a *code*, which never changes its meaning. Messages say what happened and what to do. The HTTP API answers with the message as plain text; OTLP receivers with a \`google.rpc.Status\` in the encoding of the request. A start that fails prints one line and ends with exit code 1, a wrong command line with 2.

OTLP has a column of its own, because exporters try again only after 429, 502, 503 and 504, and drop the spans after everything else: a defect of ours must not cost data.`;

function kindTable(): string {
  const rows = Object.entries(KINDS).map(([kind, [meaning, remedy]]) => {
    const error = new VivaceError(kind as ErrorKind, 'example', '');
    const otlp = errorStatus(error);
    const statuses = [httpStatus(error), grpcName(grpcStatusOf(error).code), otlp.http, grpcName(otlp.grpc)];
    return `| \`${kind}\` | ${meaning} | ${statuses.join(' | ')} | ${remedy} |`;
  });
  return [
    '| kind | meaning | HTTP API | gRPC on the API port | OTLP over HTTP | OTLP over gRPC | what to do |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

const DAMAGE = `## Damaged data

A part of a block, a manifest or a segment of the log whose checksum or structure is wrong is never used: lookups give the rest and say \`PARTIAL\` (v2) or 503 (v1), and the answer or the log of the server names the object. Disks and copies are the usual reason. Restore the object from a backup or another copy; until then everything else goes on. A damaged segment of the log is read up to the damage and kept.`;

function codeTable(sites: readonly ErrorSite[], directory: string): string {
  const codes = [...new Set(sites.map(({ code }) => code))].sort();
  const rows = codes.map((code) => {
    const own = sites.filter((site) => site.code === code);
    const kinds = [...new Set(own.map(({ kind }) => `\`${kind}\``))].join(', ');
    const said = [...new Set(own.flatMap(({ message }) => (message === undefined ? [] : [escape(message)])))];
    const files = [...new Set(own.map(({ file }) => file))].map(
      (file) => `[${file.slice(directory.length + '/src/'.length)}](../${file})`,
    );
    return `| \`${code}\` | ${kinds} | ${said.join('<br>')} | ${ADVICE[code] ?? ''} | ${files.join(', ')} |`;
  });
  return ['| code | kind | what it says | what to do besides | where |', '|---|---|---|---|---|', ...rows].join('\n');
}

function escape(message: string): string {
  return message.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*', '\\*');
}

const GRPC_NAMES: Record<number, string> = {
  1: 'CANCELLED',
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  8: 'RESOURCE_EXHAUSTED',
  10: 'ABORTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  15: 'DATA_LOSS',
  16: 'UNAUTHENTICATED',
};

function grpcName(code: number): string {
  return GRPC_NAMES[code] ?? String(code);
}
