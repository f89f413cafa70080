import { keepCompiledCode } from './compile-cache.ts';

keepCompiledCode(process.env);
const { runCli } = await import('./cli.ts');
const { systemSurroundings } = await import('./surroundings.ts');

// A reader that goes away (`| head`) is no reason to stop serving.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

const code = await runCli({
  ...systemSurroundings(),
  loadCompose: async () => (await import('./compose.ts')).compose,
  onSignal: (handler) => {
    process.on('SIGTERM', handler);
    process.on('SIGINT', handler);
  },
  exit: (code) => process.exit(code),
});
// Whatever a library still holds open must not keep a stopped server alive.
process.exit(code);
