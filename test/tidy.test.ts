import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Rules of the sources that no linter knows; see docs/architecture.md for their reasons. */
const root = join(import.meta.dirname, '..')
const files = filesBelow('src')

interface SourceFile {
  /** From the project's folder. */
  path: string
  text: string
  /** Of our own files, from the project's folder; types count too. */
  imports: string[]
  packages: string[]
}

function filesBelow(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => {
      const path = join(folder, name)
      const text = readFileSync(join(root, path), 'utf8')
      const wanted = [...text.matchAll(/(?:from|import\()\s*'([^']+)'|^import '([^']+)'/gm)].map(
        (match) => match[1] ?? match[2] ?? '',
      )
      return {
        path,
        text,
        imports: wanted
          .filter((name) => name.startsWith('.'))
          .map((name) => relative(root, resolve(root, dirname(path), name))),
        packages: wanted.filter((name) => !name.startsWith('.')),
      }
    })
}

const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')

/** Without what stands in quotes either. */
const code = (text: string): string => withoutComments(text).replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''")

const below = (...folders: string[]) =>
  files.filter(({ path }) => folders.some((folder) => path.startsWith(`src/${folder}/`)))

/** Names of files for which something is so, so that a failure says all of them. */
const those = (some: readonly SourceFile[], is: (file: SourceFile) => boolean): string[] =>
  some.filter(is).map(({ path }) => path)

describe('the core is pure', () => {
  test('quorum and plan import nothing of Node and no package', () => {
    expect(those(below('quorum', 'plan'), ({ packages }) => packages.length > 0)).toEqual([])
  })

  test('quorum and plan look at no clock and throw no dice', () => {
    const impure = /\bDate\b|\bperformance\b|Math\.random|\bcrypto\b|\bsetTimeout\b|\bprocess\b/
    expect(those(below('quorum', 'plan'), ({ text }) => impure.test(code(text)))).toEqual([])
  })

  test('quorum and plan import only what is pure too', () => {
    const pure = /^src\/(quorum|plan|spec)\/|^src\/(errors|constants)\.ts$|^src\/clouds\/cloud\.ts$/
    expect(those(below('quorum', 'plan'), ({ imports }) => imports.some((path) => !pure.test(path)))).toEqual(
      [],
    )
  })
})

describe('who may do what', () => {
  test('only the command line, and processes of their own, print or exit', () => {
    const own = ['src/agent/main.ts', 'src/agent/certificate-process.ts', 'src/clouds/local/main.ts']
    const prints = /\bconsole\.|process\.(stdout|stderr|exit\b|exitCode)/
    const others = files.filter(({ path }) => !path.startsWith('src/cli/') && !own.includes(path))
    expect(those(others, ({ text }) => prints.test(code(text)))).toEqual([])
  })

  test('the command line prints through its io alone', () => {
    const allowed = ['src/cli/main.ts', 'src/cli/io.ts']
    const prints = /\bconsole\.|process\.(stdout|stderr|exit\b)/
    const others = below('cli').filter(({ path }) => !allowed.includes(path))
    expect(those(others, ({ text }) => prints.test(code(text)))).toEqual([])
  })

  test('nothing imports the command line but itself', () => {
    const others = files.filter(({ path }) => !path.startsWith('src/cli/'))
    expect(those(others, ({ imports }) => imports.some((path) => path.startsWith('src/cli/')))).toEqual([])
  })

  test('only the command line imports operations', () => {
    const others = files.filter(({ path }) => !/^src\/(cli|operations|web)\//.test(path))
    expect(
      those(others, ({ imports }) => imports.some((path) => path.startsWith('src/operations/'))),
    ).toEqual([])
  })

  test('the agent carries no cloud with it but its own side of it', () => {
    const allowed = /^src\/clouds\/(cloud|surroundings|local\/surroundings-client)\.ts$/
    expect(
      those(below('agent'), ({ imports }) =>
        imports.some((path) => path.startsWith('src/clouds/') && !allowed.test(path)),
      ),
    ).toEqual([])
  })
})

describe('size and dead code', () => {
  test('no file has more than 300 lines; lists of cases may have 350', () => {
    const long = (limit: number) => (file: SourceFile) => file.text.split('\n').length > limit + 1
    expect(those([...files, ...filesBelow('scripts')], long(300))).toEqual([])
    expect(those(filesBelow('test'), long(350))).toEqual([])
  })

  test('every file is reached from an entry point', () => {
    const entries = ['src/cli/main.ts', 'src/agent/main.ts', 'src/clouds/local/main.ts']
    const reached = new Set<string>()
    const visit = (path: string): void => {
      if (reached.has(path)) return
      reached.add(path)
      for (const next of files.find((file) => file.path === path)?.imports ?? []) visit(next)
    }
    for (const entry of entries) visit(entry)
    // What only scripts and the bench use is used too.
    for (const folder of ['scripts', 'bench']) {
      for (const { imports } of tryFilesBelow(folder)) imports.forEach(visit)
    }
    // The memory store is the test double; nginx is rendered for hosts that have one.
    const known = ['src/balancer/nginx.ts', 'src/store/memory.ts']
    expect(those(files, ({ path }) => !reached.has(path) && !known.includes(path))).toEqual([])
  })

  test('every exported name is used somewhere', () => {
    const all = [...files, ...filesBelow('test'), ...tryFilesBelow('scripts'), ...tryFilesBelow('bench')]
    const uses = new Map<string, number>()
    for (const { text } of all) {
      for (const word of withoutComments(text).match(/[A-Za-z_$][\w$]*/g) ?? [])
        uses.set(word, (uses.get(word) ?? 0) + 1)
    }
    const unused = files.flatMap(({ path, text }) =>
      [...text.matchAll(/^export (?:async )?(?:const|function|class|interface|type) ([A-Za-z_$][\w$]*)/gm)]
        .map((match) => match[1] ?? '')
        .filter((name) => (uses.get(name) ?? 0) < 2)
        .map((name) => `${path}: ${name}`),
    )
    expect(unused).toEqual([])
  })
})

function tryFilesBelow(folder: string): SourceFile[] {
  try {
    return filesBelow(folder)
  } catch {
    return []
  }
}
