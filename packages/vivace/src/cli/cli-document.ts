import { renderCommandHelp } from './command-help.ts';
import { COMMANDS } from './commands.ts';
import { flagsOf } from './run-command.ts';

const INTRODUCTION = `<!-- Made from packages/vivace/src/cli/commands.ts by \`npm run docs\`; a test keeps it current. -->

# The command line

\`npx vivace COMMAND\` in a clone, once \`npm start\` or \`npm test\` has made it ready; it runs on the pinned Node. The
settings are the server's: \`--config\`, the environment, \`--data-dir\`. Results go to stdout, as text or with \`--json\`;
everything else goes to stderr. Exit codes: 0; 1 for a failure, for damage that was found, and for an answer that is not
complete; 2 for a wrong command line; 130 after Ctrl-C.

All but \`serve\` and \`manifest rebuild --write\` only read: they take no lock and write nothing, so they can run beside a
server on its data directory or bucket. What they do when something went wrong is in [operations.md](operations.md).
`;

/** `docs/cli.md` */
export function renderCliDocument(): string {
  const parts = COMMANDS.map((command) => {
    const help = renderCommandHelp(command, flagsOf(command)).trimEnd();
    return `## ${command.name}\n\n\`\`\`text\n${help}\n\`\`\`\n`;
  });
  return `${INTRODUCTION}\n${parts.join('\n')}`;
}
