import { readFile } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { text as streamText } from 'node:stream/consumers'
import { HoldfastError, InvalidInputError, messageOf, type Problem } from '../errors.ts'
import type { ClusterFlags, FlagsResult } from '../spec/flags.ts'
import type { Declaration } from '../spec/types.ts'
import type { HostRoute } from '../spec/validate-ranges.ts'
import type { Cli } from './context.ts'

export interface DeclaredInput {
  declaration: Declaration
  /** Warnings, and errors that only stand in the way of carrying it out. */
  problems: Problem[]
}

/** @throws InvalidInputError with every problem of the flags. */
export async function declareFromFlags(cli: Cli, flags: ClusterFlags): Promise<DeclaredInput> {
  const { declarationFromFlags } = await import('../spec/flags.ts')
  const first = declarationFromFlags(flags)
  // Routes of this host matter only where the machines are on this host.
  if (first.declaration?.cluster.spec.cloud !== 'local') return accepted(first)
  return accepted(declarationFromFlags(flags, { hostRoutes: await hostRoutes(cli) }))
}

/**
 * The flags of `up` on top of what is declared already: only the number of workers may differ.
 * @throws InvalidInputError also for a cluster that is not this machine's.
 */
export async function declareAgain(existing: Declaration, flags: ClusterFlags): Promise<DeclaredInput> {
  const { metadata, spec } = existing.cluster
  if (spec.cloud !== 'local') {
    throw new InvalidInputError(
      `${metadata.name} is declared on the cloud ${spec.cloud}; up is for clusters on this machine`,
      [],
      `Go on with \`holdfast update cluster ${metadata.name}\`, or give a new cluster another name.`,
    )
  }
  const { repeatUp } = await import('../spec/repeat-up.ts')
  const result = repeatUp(existing, flags)
  const heading = result.differs ? 'is there already, and is different' : 'cannot be changed like this'
  return accepted(result, `${metadata.name} ${heading}`)
}

/** @throws InvalidInputError with every problem of the file, each with its line and column. */
export async function declareFromFile(cli: Cli, file: string): Promise<DeclaredInput> {
  const { loadDeclaration } = await import('../spec/load.ts')
  const input = await readInput(cli, file)
  const first = loadDeclaration(input.text, input.file)
  const local = first.declaration?.cluster.spec.cloud === 'local'
  const { declaration, problems } = local
    ? loadDeclaration(input.text, input.file, { hostRoutes: await hostRoutes(cli) })
    : first
  if (!declaration)
    throw new InvalidInputError(`${input.file} cannot be used`, problems, 'Nothing was changed.')
  return { declaration, problems }
}

/** A file's text, or standard input for `-`; the name is as the user wrote it. */
export async function readInput(cli: Cli, file: string): Promise<{ text: string; file: string }> {
  if (file === '-') return { text: await streamText(process.stdin), file: 'standard input' }
  try {
    return { text: await readFile(isAbsolute(file) ? file : resolve(cli.io.cwd, file), 'utf8'), file }
  } catch (error) {
    throw new HoldfastError('file-unreadable', `${file} cannot be read: ${messageOf(error)}`, {
      remedy: 'Name a file that is there and may be read.',
      exitCode: 2,
      cause: error,
    })
  }
}

function accepted(result: FlagsResult, message = 'This cluster cannot be declared'): DeclaredInput {
  const problems = [...result.errors, ...result.blockers, ...result.warnings]
  if (!result.declaration) throw new InvalidInputError(message, problems, 'Nothing was changed.')
  return { declaration: result.declaration, problems }
}

async function hostRoutes(cli: Cli): Promise<HostRoute[]> {
  if (cli.io.probes?.hostRoutes) return cli.io.probes.hostRoutes()
  const { hostRoutes: read } = await import('../clouds/local/routes.ts')
  return read()
}
