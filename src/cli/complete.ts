import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Argument, Command, Option } from 'commander'
import { homeFolders } from '../home.ts'
import type { Cli } from './context.ts'
import { type Place, placeOf } from './place.ts'

/** One word that may come next. */
interface Candidate {
  word: string
  description?: string
}

/** Asks the shell's script for names of files. */
const fileNames: Candidate[] = [{ word: ':files' }]

/**
 * Prints what may stand in place of the last of `words`: one a line, what it means behind a tab. The shells' scripts
 * call this on each TAB, so it loads little, starts nothing and makes no folder; where it cannot tell it is silent.
 */
export async function complete(cli: Cli, program: Command, words: readonly string[]): Promise<void> {
  const found = await candidates(cli, program, words).catch(() => [])
  for (const { word, description } of found) cli.data(description ? `${word}\t${description}\n` : `${word}\n`)
}

async function candidates(cli: Cli, program: Command, words: readonly string[]): Promise<Candidate[]> {
  const current = words.at(-1) ?? ''
  const place = placeOf(program, words.slice(0, -1))
  if (place.pending) return beginning(current, await valuesOfOption(cli, place, place.pending))
  if (place.command.name() === 'help') return verbs(placeOf(program, place.operands).command, current)
  if (current.startsWith('-') && !place.passedOn) return options(cli, place, current)
  if (place.command.commands.length > 0) return verbs(place.command, current)
  const argument = nextArgument(place)
  return argument ? beginning(current, await valuesOfArgument(cli, place, argument)) : []
}

function nextArgument({ command, operands, passedOn }: Place): Argument | undefined {
  const { registeredArguments } = command
  const last = registeredArguments.at(-1)
  if (passedOn) return undefined
  return registeredArguments[operands.length] ?? (last?.variadic ? last : undefined)
}

const beginning = (current: string, found: Candidate[]): Candidate[] =>
  found === fileNames ? found : found.filter(({ word }) => word.startsWith(current))

/** Other names of a verb only where no name fits: nobody needs `clusters` and `cluster` side by side. */
function verbs({ commands }: Command, current: string): Candidate[] {
  const named = commands.map((verb) => ({
    word: verb.name(),
    description: firstSentence(verb.description()),
  }))
  const fitting = beginning(current, named)
  if (fitting.length > 0) return fitting
  return beginning(
    current,
    commands.flatMap((verb) =>
      verb.aliases().map((word) => ({ word, description: firstSentence(verb.description()) })),
    ),
  )
}

/** `--na` or `--name=tr`. */
async function options(cli: Cli, place: Place, current: string): Promise<Candidate[]> {
  const visible = place.command.createHelp().visibleOptions(place.command)
  const named = visible.find(({ long, required }) => required && current.startsWith(`${long}=`))
  if (!named) {
    const longs = visible.map(({ long, description }) => ({ word: long ?? '', description }))
    return beginning(current, longs)
  }
  const values = await valuesOfOption(cli, place, named)
  if (values === fileNames) return values
  return beginning(
    current,
    values.map((value) => ({ ...value, word: `${named.long}=${value.word}` })),
  )
}

const firstSentence = (text: string): string => text.split(/[.;] |\.$/)[0] ?? ''

async function valuesOfOption(cli: Cli, place: Place, option: Option): Promise<Candidate[]> {
  if (option.argChoices) return option.argChoices.map((word) => ({ word }))
  if (option.attributeName() === 'name') return candidatesOf(await clusterNames(cli, place))
  return option.flags.includes('<file>') ? fileNames : []
}

async function valuesOfArgument(cli: Cli, place: Place, argument: Argument): Promise<Candidate[]> {
  if (argument.argChoices) return argument.argChoices.map((word) => ({ word }))
  switch (argument.name()) {
    case 'NAME':
      // A cluster that is there is no name for a new one.
      return place.path[0] === 'create' ? [] : candidatesOf(await clusterNames(cli, place))
    case 'GROUP':
      return candidatesOf([...(await groupNames(cli, place)), ...(await clustersOfGet(cli, place))])
    case 'MACHINE':
      return candidatesOf(await machineNames(cli, place))
    case 'FILE':
    case 'ARCHIVE':
      return fileNames
    default:
      return []
  }
}

const candidatesOf = (words: readonly string[]): Candidate[] => [...new Set(words)].map((word) => ({ word }))

const homeOf = ({ io }: Cli): string => homeFolders(io.env, io.userHome).home

/** Keys of the store below a prefix. */
async function storeKeys(cli: Cli, place: Place): Promise<string[]> {
  const url =
    place.values.get('state') ??
    (cli.io.env['HOLDFAST_STATE_STORE'] || pathToFileURL(join(homeOf(cli), 'store')).href)
  const store = await cli.store({ state: url })
  return store.list('')
}

const matching = (keys: readonly string[], pattern: RegExp): string[] =>
  keys.flatMap((key) => pattern.exec(key)?.[1] ?? [])

const clusterNames = async (cli: Cli, place: Place): Promise<string[]> =>
  matching(await storeKeys(cli, place), /^([^/]+)\/cluster\.yaml$/)

/** `get ig try` lists a cluster's groups; `edit ig` takes a group only. */
const clustersOfGet = async (cli: Cli, place: Place): Promise<string[]> =>
  place.path[0] === 'get' && place.operands.length === 0 && !place.values.has('name')
    ? clusterNames(cli, place)
    : []

const namedCluster = (cli: Cli, place: Place): string | undefined =>
  place.values.get('name') ?? (cli.io.env['HOLDFAST_CLUSTER'] || undefined)

/** Of the named cluster, or of all. */
async function groupNames(cli: Cli, place: Place): Promise<string[]> {
  const cluster = namedCluster(cli, place)
  const keys = await storeKeys(cli, place)
  const wanted = cluster === undefined ? keys : keys.filter((key) => key.startsWith(`${cluster}/`))
  return matching(wanted, /^[^/]+\/groups\/([^/]+)\.yaml$/)
}

/** As the local cloud recorded them: it need not run for this. */
async function machineNames(cli: Cli, place: Place): Promise<string[]> {
  const { clusterNames: recorded, readCluster } = await import('../clouds/local/records.ts')
  const home = { dir: homeOf(cli) }
  const cluster = namedCluster(cli, place)
  const clusters = cluster === undefined ? await recorded(home) : [cluster]
  const records = await Promise.all(clusters.map((name) => readCluster(home, name)))
  return records.flatMap((one) => one?.machines.map(({ id }) => id) ?? [])
}
