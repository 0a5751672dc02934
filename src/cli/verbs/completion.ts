import { Argument, type Command } from 'commander'
import { completionScript, type Shell, shells } from '../completion-script.ts'
import type { Cli } from '../context.ts'

export function registerCompletion(program: Command, cli: Cli): void {
  program
    .command('completion')
    .description('Print a completion script for your shell.')
    .addArgument(new Argument('<SHELL>').choices(shells))
    .addHelpText(
      'after',
      `
The scripts for zsh and fish are untested.

Examples:
  source <(holdfast completion bash)
  holdfast completion zsh > "\${fpath[1]}/_holdfast"
  holdfast completion fish > ~/.config/fish/completions/holdfast.fish`,
    )
    .action((shell: Shell) => cli.data(completionScript(shell)))
}
