import { runDemo } from './demo-cli.ts';
import { systemSurroundings } from './surroundings.ts';

process.exitCode = await runDemo(systemSurroundings());
