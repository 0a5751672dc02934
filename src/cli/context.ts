import { chownSync, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { HoldfastError, InvalidInputError } from '../errors.ts'
import { type Home, homeFolders, makeCache, resolveHome } from '../home.ts'
import type { Operation } from '../operations/operation.ts'
import type { StateStore } from '../store/store.ts'
import { type Colours, coloursFor } from './colours.ts'
import { withCommandName } from './command-name.ts'
import type { Io } from './io.ts'
import { createRenderer } from './render.ts'

/** Options that every verb understands. */
export interface CommonOptions {
  name?: string
  state?: string
  output?: OutputFormat
}

export type OutputFormat = 'table' | 'json' | 'yaml'

/** What a verb works with; everything in it is made when it is first asked for. */
export interface Cli {
  readonly io: Io
  /** Prints on standard output for programs, to the letter. */
  data(text: string): void
  readonly colours: Colours
  /** The exit code when nothing was thrown. */
  exitCode: number
  home(): Home
  store(options: CommonOptions): Promise<StateStore>
  /** The name given as an argument or by `--name`. */
  namedHere(argument: string | undefined, options: CommonOptions): string | undefined
  /** The same, or else the one of HOLDFAST_CLUSTER. */
  givenName(argument: string | undefined, options: CommonOptions): string | undefined
  /** The given name, or the only cluster there is. @throws when there are none or several. */
  clusterName(argument: string | undefined, options: CommonOptions): Promise<string>
  /** Runs an operation with progress on standard error and Ctrl-C ending it after the step in hand. */
  operate<T>(options: CommonOptions, action: (operation: Operation) => Promise<T>): Promise<T>
}

export function createCli(given: Io): Cli {
  const io = withCommandName(given)
  let home: Home | undefined
  const cli: Cli = {
    io,
    data: given.out,
    colours: coloursFor(io),
    exitCode: 0,
    home() {
      home ??= ownedHome(io)
      return home
    },
    async store(options) {
      const { openStore } = await import('../store/open.ts')
      return openStore(options.state ?? (io.env['HOLDFAST_STATE_STORE'] || cli.home().storeUrl))
    },
    namedHere(argument, options) {
      if (argument !== undefined && options.name !== undefined && argument !== options.name) {
        throw new InvalidInputError(
          `Two different names were given: ${argument} and --name ${options.name}`,
          [],
          'Give one of them. Nothing was changed.',
        )
      }
      return argument ?? options.name
    },
    givenName: (argument, options) =>
      cli.namedHere(argument, options) ?? (io.env['HOLDFAST_CLUSTER'] || undefined),
    async clusterName(argument, options) {
      const given = cli.givenName(argument, options)
      const { declaredClusters, requireCluster } = await import('../operations/declared.ts')
      const store = await cli.store(options)
      if (given !== undefined) {
        await requireCluster(store, given)
        return given
      }
      const names = await declaredClusters(store)
      const [only] = names
      if (only === undefined) throw noClusters(store)
      if (names.length === 1) return only
      throw new InvalidInputError(
        `Which cluster? There are several: ${names.join(', ')}`,
        [],
        'Name one as an argument, with --name, or in HOLDFAST_CLUSTER.',
      )
    },
    operate: (options, action) => operate(cli, options, action),
  }
  return cli
}

async function operate<T>(cli: Cli, options: CommonOptions, action: (operation: Operation) => Promise<T>) {
  const { io } = cli
  const [{ openOperation }, { kubeconfigFiles }] = await Promise.all([
    import('../operations/operation.ts'),
    import('../pki/kubeconfig-file.ts'),
  ])
  const store = await cli.store(options)
  const renderer = createRenderer(io)
  const stop = new AbortController()
  const release = io.onInterrupt(() => {
    if (stop.signal.aborted) {
      renderer.close()
      io.exit(130)
    }
    stop.abort()
    renderer.report({
      type: 'note',
      message: 'Stopping after the step in hand. Press Ctrl-C again to stop at once.',
    })
  })
  try {
    const operation = openOperation({
      home: cli.home(),
      store,
      report: renderer.report,
      stop: stop.signal,
      kubeconfig: {
        // Most operations need none of them, and then nobody has to know the caller's home.
        get files() {
          return kubeconfigFiles(io.env, io.env['KUBECONFIG'] ? '' : io.userHome())
        },
        env: io.env,
        ...(io.caller ? { owner: io.caller } : {}),
      },
      ...(io.probes ? { probes: io.probes } : {}),
    })
    return await action(operation)
  } finally {
    release()
    renderer.close()
  }
}

const noClusters = (store: StateStore) =>
  new HoldfastError('cluster-not-found', `There is no cluster in ${store.location}`, {
    remedy: 'Make one with `holdfast up`.',
    exitCode: 2,
  })

/** Home and cache; under sudo the folders that are made in the caller's home belong to the caller. */
function ownedHome({ env, userHome, caller }: Io): Home {
  const missing = Object.values(homeFolders(env, userHome)).flatMap(missingFrom)
  const home = resolveHome(env, userHome)
  makeCache(home)
  if (caller) for (const path of missing) chownSync(path, caller.uid, caller.gid)
  return home
}

const missingFrom = (path: string): string[] =>
  existsSync(path) ? [] : [path, ...missingFrom(dirname(path))]
