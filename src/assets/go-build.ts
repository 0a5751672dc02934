import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isUnderSudo } from '../permission.ts'
import { runCommand } from './command.ts'
import type { Making } from './recipe.ts'
import { installGo, takeBundle } from './remedies.ts'
import { architecture } from './versions.ts'

/** Our own Go modules, one a component; their go.sum files are the checksums of what is built. */
export const modulesDir = fileURLToPath(new URL('../../assets/modules', import.meta.url))

export interface GoBuild {
  /** Folder of the module, below `modulesDir` unless absolute. */
  readonly module: string
  readonly packages: readonly string[]
  readonly tags?: readonly string[]
  /** Values set by the linker, `-X NAME=VALUE`. */
  readonly variables?: Readonly<Record<string, string>>
  /** Binaries whose name is not the package's: from → to. */
  readonly renames?: Readonly<Record<string, string>>
}

const buildTimeoutMs = 3_600_000

/** The flags, which are also what a build's key is made of. Others than these relink everything. */
export function goArguments(build: GoBuild): string[] {
  const variables = Object.entries(build.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`)
  return [
    '-mod=readonly',
    '-trimpath',
    ...(build.tags ? ['-tags', build.tags.join(',')] : []),
    '-ldflags',
    ['-s -w', ...variables].join(' '),
  ]
}

/** What a build is made from: flags, packages and the content of the module's own files. */
export function goIngredients(build: GoBuild, ownFiles: readonly string[] = []): string[] {
  const contents = ['go.mod', 'go.sum', ...ownFiles].map((name) => {
    const hash = createHash('sha256')
    try {
      hash.update(readFileSync(join(moduleDir(build), name)))
    } catch {
      // A module without dependencies has no go.sum.
    }
    return `${name} ${hash.digest('hex')}`
  })
  return [...goArguments(build), ...build.packages, ...contents, JSON.stringify(build.renames ?? {})]
}

const moduleDir = (build: GoBuild): string =>
  build.module.startsWith('/') ? build.module : join(modulesDir, build.module)

/** Builds static binaries into `dir`; Go's own cache keeps what was compiled if it is killed. */
export async function goBuild(build: GoBuild, dir: string, making: Making): Promise<void> {
  let compiled = 0
  let downloaded = 0
  making.progress('looking at what is compiled already')
  await runCommand('go', ['build', '-v', ...goArguments(build), '-o', `${dir}/`, ...build.packages], {
    cwd: moduleDir(build),
    env: {
      ...making.env,
      CGO_ENABLED: '0',
      GOOS: 'linux',
      GOARCH: architecture(),
      // A go.work of a folder above must not take part.
      GOWORK: 'off',
    },
    timeoutMs: buildTimeoutMs,
    dieWithParent: true,
    stop: making.stop,
    onLine: (line) => {
      if (line.startsWith('go: downloading')) downloaded++
      else if (/^[\w.~-]+(\/[\w.~-]+)*$/.test(line)) compiled++
      else return
      const modules = downloaded > 0 ? `downloaded ${downloaded} modules, ` : ''
      making.progress(`${modules}compiled ${compiled} packages`)
    },
    remedy: (message) => goRemedy(message, making.env),
  })
  for (const [from, to] of Object.entries(build.renames ?? {})) await rename(join(dir, from), join(dir, to))
}

/** By what Go says: not there, or older than the module asks for; out of memory; modules that cannot be had. */
function goRemedy(message: string, env: NodeJS.ProcessEnv): string {
  if (/is not installed|requires go >=|invalid go version|golang\.org\/toolchain/.test(message))
    return installGo(isUnderSudo(env))
  const again = 'run the command again: what was compiled is kept.'
  if (/SIGKILL|signal: killed|cannot allocate memory/.test(message))
    return `It was killed, most likely for want of memory: end other programs, and ${again}`
  if (/GOPROXY|dial tcp|proxyconnect|TLS handshake|i\/o timeout|connection reset/.test(message))
    return `Check that Go gets its modules (GOPROXY, HTTPS_PROXY), and ${again} ${takeBundle}`
  return `Mend what is named above, and ${again} ${takeBundle}`
}
