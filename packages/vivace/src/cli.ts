import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { type Config, configFlags, loadConfig } from '@vivace/config';
import { systemErrorCode, VivaceError } from '@vivace/kernel';
import { createLogger } from '@vivace/telemetry';
import { parseFlags } from './flags.ts';
import { renderHelp } from './help.ts';
import type { Compose, Running } from './running.ts';
import { explainStartFailure } from './start-failure.ts';
import { renderStartReport } from './start-report.ts';
import type { Surroundings } from './surroundings.ts';
import { VERSION } from './version.ts';

/** How long a stop may take before the process goes anyway; orchestrators kill after the same time. */
const STOP_TIMEOUT_MS = 30_000;

/** One Ctrl-C can arrive twice: from the terminal, and from npm, which hands it on. */
const SAME_SIGNAL_MS = 300;

type StopSignal = 'SIGTERM' | 'SIGINT';

/** What the command line needs of the world. */
export interface CliOptions extends Surroundings {
  /** Loaded only for a start, so that `--help` answers at once. */
  loadCompose: () => Promise<Compose>;
  onSignal: (handler: (signal: StopSignal) => void) => void;
  /** Ends the process at once. */
  exit: (code: number) => void;
}

const FLAGS = [
  ...configFlags,
  { name: 'config', placeholder: 'FILE' },
  { name: 'help', short: 'h' },
  { name: 'version', short: 'v' },
];

/** Runs the command line to its end and gives the exit code: 0, 1 for a failed start or stop, 2 for a wrong command line. */
export async function runCli(options: CliOptions): Promise<number> {
  const { argv, env, stdout, stderr } = options;
  let verbose = argv.includes('--log-level=debug') || argv[argv.indexOf('--log-level') + 1] === 'debug';
  try {
    const flags = parseFlags(argv, FLAGS, { env, script: 'start' });
    if (flags.has('help')) {
      stdout.write(renderHelp());
      return 0;
    }
    if (flags.has('version')) {
      stdout.write(`${VERSION}\n`);
      return 0;
    }
    const file = flags.get('config');
    const config = loadConfig({ ...(file !== undefined && { file: readFile(file) }), env, flags });
    verbose = config.server.log_level === 'debug';
    return await serve(config, options);
  } catch (error) {
    const failure = explainStartFailure(error, { verbose });
    stderr.write(failure.text);
    return failure.exitCode;
  }
}

async function serve(config: Config, options: CliOptions): Promise<number> {
  const { clock, random, stdout, stderr } = options;
  const logger = createLogger({ level: config.server.log_level, format: config.server.log_format, stream: stderr });
  const starting = new AbortController();
  const stopAsked = Promise.withResolvers<void>();
  let asked = false;
  let askedAtMs = 0;
  options.onSignal((signal) => {
    if (asked) {
      if (clock.monotonicMs() - askedAtMs < SAME_SIGNAL_MS) return;
      logger.warn({ signal }, 'asked to stop again: leaving at once');
      return options.exit(128 + constants.signals[signal]);
    }
    asked = true;
    askedAtMs = clock.monotonicMs();
    logger.info({ signal }, 'stopping');
    starting.abort(new VivaceError('canceled', 'stopped', `stopped by ${signal} before the start was complete`));
    stopAsked.resolve();
    void clock.sleep(STOP_TIMEOUT_MS).then(() => {
      logger.error(
        `the stop took longer than ${STOP_TIMEOUT_MS / 1000} s: leaving; what was acknowledged is in the log`,
      );
      options.exit(1);
    });
  });

  let running: Running;
  try {
    const compose = await options.loadCompose();
    running = await compose(config, { logger, signal: starting.signal });
  } catch (error) {
    if (!asked) throw error;
    logger.info('stopped before the start was complete');
    return 0;
  }
  if (!asked) {
    stdout.write(renderStartReport({ config, running, clock, random }));
    logger.info({ ...running.addresses }, 'ready');
    for (const notice of running.notices) logger.warn(notice);
  }
  await stopAsked.promise;
  try {
    await running.stop();
  } catch (error) {
    logger.error({ err: error }, 'the stop failed; what was acknowledged is in the log');
    return 1;
  }
  logger.info('stopped');
  return 0;
}

function readFile(name: string): { name: string; text: string } {
  try {
    return { name, text: readFileSync(name, 'utf8') };
  } catch (error) {
    throw new VivaceError(
      'invalid',
      'config',
      `the configuration file ${name} cannot be read (${systemErrorCode(error) ?? 'unknown'}): check the path after --config`,
      { cause: error },
    );
  }
}
