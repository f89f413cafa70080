import { type Clock, toVivaceError } from '@vivace/kernel';
import { type Logger, Seldom } from '@vivace/telemetry';
import { httpStatus } from './problem.ts';

/**
 * Logs requests that failed by no fault of their client. A defect or damage is an error each time. That something is
 * away, or that it took too long, every request meets: a warning, once a minute by route and reason.
 */
export function createFailureLog({
  logger,
  clock,
}: {
  logger: Logger;
  clock: Clock;
}): (error: unknown, request: string) => void {
  const seldom = new Seldom(clock);
  return (cause, request) => {
    const error = toVivaceError(cause);
    if (httpStatus(error) === 500) logger.error({ err: error, request }, 'a request failed');
    else if (seldom.isDue(`${request} ${error.code}`)) logger.warn({ err: error, request }, 'a request failed');
  };
}
