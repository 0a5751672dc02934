import type { Command } from 'commander'
export function registerDemo(program: Command, _cli: unknown): void {
  program.command('demo')
}
