import { stringify } from 'yaml'
import type { Cli, OutputFormat } from './context.ts'

/** Prints a value for programs. */
export function printData(cli: Cli, value: unknown, format: Exclude<OutputFormat, 'table'>): void {
  cli.data(format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : stringify(value))
}
