import { type Clock, type Service, toVivaceError, VivaceError } from '@vivace/kernel';
import type { Logger } from '@vivace/telemetry';
import type { Retention } from './retention.ts';
import { readTenantRetention, type TenantRetention } from './tenant-retention.ts';

export interface OverridesFileOptions {
  /** For messages. */
  name: string;
  /** Reads the file; rejects where it cannot be read. */
  read: () => Promise<string>;
  /** Where the file says nothing; 0 is for ever. */
  defaultKeepMs: number;
  periodMs: number;
  clock: Clock;
  logger: Logger;
}

/** Settings of single tenants, read again while they are used. A file that is wrong changes nothing, and says so. */
export class OverridesFile implements Service {
  readonly #options: OverridesFileOptions;
  #text: string | undefined;
  #retention: TenantRetention | undefined;
  /** The last text or failure that was reported. */
  #reported = '';
  #isBad = false;
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(options: OverridesFileOptions) {
    this.#options = options;
  }

  /** Whether the file, as it is now, is not the one in use. */
  get isBad(): boolean {
    return this.#isBad;
  }

  retention(tenant: string): Retention {
    if (this.#retention === undefined) throw new VivaceError('internal', 'overrides', 'the overrides are not read yet');
    return this.#retention(tenant);
  }

  /** Rejects where the file is wrong: nobody is to start with settings that were not meant. */
  async start(): Promise<void> {
    const { name, read, defaultKeepMs } = this.#options;
    this.#text = await read().catch((error: unknown) => {
      throw new VivaceError('invalid', 'overrides', `${name} cannot be read: ${toVivaceError(error).message}`, {
        cause: error,
      });
    });
    this.#retention = readTenantRetention(name, this.#text, defaultKeepMs);
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
  }

  /** Takes over what has changed. */
  async look(): Promise<void> {
    const { name, read, defaultKeepMs, logger } = this.#options;
    try {
      const text = await read();
      if (text !== this.#text) {
        this.#retention = readTenantRetention(name, text, defaultKeepMs);
        this.#text = text;
        logger.info({ file: name }, 'the overrides have changed and are in use');
      } else if (this.#isBad) logger.info({ file: name }, 'the overrides are as before again');
      this.#isBad = false;
      this.#reported = '';
    } catch (error) {
      this.#isBad = true;
      const { message } = toVivaceError(error);
      if (message !== this.#reported) logger.error({ file: name }, `the overrides stay as they were: ${message}`);
      this.#reported = message;
    }
  }

  #lookLater(): void {
    this.#cancel = this.#options.clock.after(this.#options.periodMs, () => {
      void this.look().then(() => {
        if (!this.#stopped) this.#lookLater();
      });
    });
  }
}
