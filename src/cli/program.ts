import { Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import type { Cli } from './context.ts'
import { withCommonOptions } from './options.ts'
import { registerAssets } from './verbs/assets.ts'
import { registerCompletion } from './verbs/completion.ts'
import { registerCreate } from './verbs/create.ts'
import { registerDelete } from './verbs/delete.ts'
import { registerDemo } from './verbs/demo.ts'
import { registerDrill } from './verbs/drill.ts'
import { registerEdit } from './verbs/edit.ts'
import { registerExport } from './verbs/export.ts'
import { registerGet } from './verbs/get.ts'
import { registerHelp } from './verbs/help.ts'
import { registerKubectl } from './verbs/kubectl.ts'
import { registerLoad } from './verbs/load.ts'
import { registerLogs } from './verbs/logs.ts'
import { registerReplace } from './verbs/replace.ts'
import { registerShell } from './verbs/shell.ts'
import { registerUp } from './verbs/up.ts'
import { registerUpdate } from './verbs/update.ts'
import { registerValidate } from './verbs/validate.ts'
import { registerVersion } from './verbs/version.ts'

const examples = `
Examples:
  holdfast demo                          See a dead master come back by itself
  holdfast up --masters 3 --workers 2    A highly available cluster on this machine
  holdfast kubectl get nodes             Use it
  holdfast delete cluster holdfast --yes Remove it with its data`

/** Every verb, in the order in which the help shows them. Verbs load what they need when they run. */
export function buildProgram(cli: Cli): Command {
  const program = new Command('holdfast')
    .description('Creates, runs and heals highly available Kubernetes clusters.')
    .version(`holdfast ${packageJson.version}`, '-V, --version', 'show the version of Holdfast')
    .helpOption('-h, --help', 'show this help')
    // For the verbs below; at the top there is one that follows several words.
    .helpCommand('help [command]', 'Show what a command does.')
    .helpCommand(false)
    .addHelpText('after', examples)
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => cli.io.out(text),
      // Commander's own words are shown once, in the form of every other error.
      writeErr: (text) => cli.io.err(text),
      outputError: () => {},
      getOutHelpWidth: () => cli.io.columns,
      getErrHelpWidth: () => cli.io.columns,
    })
  withCommonOptions(program)
  for (const register of [
    registerDemo,
    registerUp,
    registerCreate,
    registerUpdate,
    registerGet,
    registerEdit,
    registerReplace,
    registerValidate,
    registerExport,
    registerKubectl,
    registerLoad,
    registerLogs,
    registerShell,
    registerDrill,
    registerDelete,
    registerAssets,
    registerCompletion,
    registerVersion,
    registerHelp,
  ]) {
    register(program, cli)
  }
  return program
}
