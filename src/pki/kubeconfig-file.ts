import { randomBytes } from 'node:crypto'
import { chown, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import { type Document, isMap, isSeq, parseDocument, Scalar, type YAMLMap, YAMLSeq } from 'yaml'
import { HoldfastError, isErrno, messageOf } from '../errors.ts'
import { makeFolder } from '../folders.ts'
import { entriesOf, type KubeconfigInput } from './kubeconfig.ts'
import { withKubeconfigLock } from './kubeconfig-lock.ts'

/** The files that kubectl reads: KUBECONFIG's, in order, or `~/.kube/config`. */
export function kubeconfigFiles(env: NodeJS.ProcessEnv, userHome: string): string[] {
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '')
  return named.length > 0 ? named.map((path) => resolve(path)) : [join(userHome, '.kube', 'config')]
}

/** The file that kubectl writes new entries to: the first that is there, else the last. */
export async function kubeconfigTarget(files: readonly string[]): Promise<string> {
  for (const file of files) if (await isThere(file)) return file
  const last = files.at(-1)
  if (last === undefined) throw new TypeError('no kubeconfig file was named')
  return last
}

/** Who shall own new files and folders: with sudo, the caller. Existing files keep their owner. */
export interface FileOwner {
  uid: number
  gid: number
}

/**
 * Adds or replaces cluster, user and context in the user's file and makes the context the current
 * one. Comments, order and everything else stay. Atomic; 0600; symbolic links are followed.
 * @throws HoldfastError `kubeconfig-broken` (nothing was changed), `kubeconfig-locked`, `kubeconfig-not-writable`.
 */
export async function mergeKubeconfig(
  file: string,
  entry: KubeconfigInput,
  owner?: FileOwner,
): Promise<void> {
  await change(file, owner, (document) => {
    for (const [list, [item]] of Object.entries(entriesOf(entry))) {
      if (item) setEntry(document, list, item)
    }
    document.set('current-context', entry.context)
    if (!document.has('apiVersion')) document.set('apiVersion', 'v1')
    if (!document.has('kind')) document.set('kind', 'Config')
    return true
  })
}

/**
 * Finds out whether a change of `file` would succeed, and changes nothing.
 * @throws HoldfastError `kubeconfig-broken`, `kubeconfig-locked`, `kubeconfig-not-writable`.
 */
export async function proveKubeconfig(file: string): Promise<void> {
  await orNotWritable(file, async () => {
    const folder = dirname(file)
    let above = folder
    while (!(await isThere(above))) above = dirname(above)
    if (above !== folder) return unlink(await writeDraft(join(above, basename(file)), '', undefined))
    const target = await followLink(file)
    await withKubeconfigLock(file, async () => {
      parse(file, (await readIfThere(target)) ?? '')
      await unlink(await writeDraft(target, '', undefined))
    })
  })
}

/** Whether anything of that name is in the file. In one that is broken every word may be a name. */
export const mentions = (file: string, name: string): Promise<boolean> =>
  orNotWritable(file, async () => {
    const text = (await isThere(file)) ? ((await readIfThere(file)) ?? '') : ''
    if (!text.includes(name)) return false
    try {
      return takeOut(parse(file, text), name)
    } catch {
      return text.split(/[^\w.-]+/).includes(name)
    }
  })

/** Removes cluster, user and context called `name`; does not touch a file without them. True if anything was there. */
export async function removeFromKubeconfig(file: string, name: string): Promise<boolean> {
  if (!(await mentions(file, name))) return false
  return change(file, undefined, (document) => takeOut(document, name))
}

/** @returns whether anything of that name was there. */
function takeOut(document: Document, name: string): boolean {
  let changed = false
  for (const list of ['clusters', 'contexts', 'users']) {
    const entries = document.get(list)
    if (!isSeq(entries)) continue
    const kept = entries.items.filter((item) => nameOf(item) !== name)
    changed ||= kept.length !== entries.items.length
    entries.items = kept
  }
  if (document.get('current-context') === name) {
    const none = new Scalar('')
    none.type = Scalar.QUOTE_DOUBLE
    document.set('current-context', none)
    changed = true
  }
  return changed
}

/** Reads, edits and replaces under the lock. `edit` says whether there is anything to write. */
function change(
  file: string,
  owner: FileOwner | undefined,
  edit: (document: Document) => boolean,
): Promise<boolean> {
  return orNotWritable(file, async () => {
    const folder = makeFolder(dirname(file))
    if (folder && owner) await chown(folder, owner.uid, owner.gid)
    const target = await followLink(file)
    return withKubeconfigLock(file, async () => {
      const text = await readIfThere(target)
      const document = parse(file, text ?? '')
      if (!edit(document)) return false
      await replace(target, document.toString({ lineWidth: 0, indentSeq: indentsLists(text ?? '') }), owner)
      return true
    })
  })
}

async function orNotWritable<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    throw new HoldfastError('kubeconfig-not-writable', `${file} cannot be changed: ${messageOf(error)}`, {
      remedy: 'Name a file that can be written in KUBECONFIG.',
      cause: error,
    })
  }
}

function parse(file: string, text: string): Document {
  const broken = (reason: string) =>
    new HoldfastError('kubeconfig-broken', `${file} is no kubeconfig: ${reason}. It was not changed.`, {
      remedy: `Mend or move away ${file}, or name another file in KUBECONFIG.`,
    })
  // Every plain word stays the word it is: `012` is another number for kubectl than for us.
  const document = parseDocument(text, { schema: 'failsafe' })
  const [error] = document.errors
  if (error) throw broken(error.message.split('\n')[0] ?? 'bad YAML')
  if (document.contents === null)
    document.contents = document.createNode({}) as unknown as typeof document.contents
  if (!isMap(document.contents)) throw broken('it holds no mapping')
  for (const list of ['clusters', 'contexts', 'users']) {
    const value: unknown = document.get(list)
    if (!isSeq(value) && !isNothing(value)) throw broken(`"${list}" is no list`)
  }
  return document as unknown as Document
}

const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || value === 'null' || value === '~'

/** kubectl does not; where a user's file does, it stays so. */
const indentsLists = (text: string): boolean => /^(clusters|contexts|users):[^\n]*\n +- /m.test(text)

function setEntry(document: Document, list: string, item: { name: string }): void {
  let entries = document.get(list)
  if (!isSeq(entries)) {
    entries = new YAMLSeq()
    document.set(list, entries)
  }
  const sequence = entries as YAMLSeq
  // `[]` is written in flow style; entries that were added to it would be unreadable.
  if (sequence.items.length === 0) sequence.flow = false
  const node = document.createNode(item) as YAMLMap
  const at = sequence.items.findIndex((existing) => nameOf(existing) === item.name)
  if (at >= 0) sequence.items[at] = node
  else sequence.items.push(node)
}

const nameOf = (item: unknown): unknown => (isMap(item) ? item.get('name') : undefined)

async function replace(path: string, text: string, owner: FileOwner | undefined): Promise<void> {
  const draft = await writeDraft(path, text, owner)
  try {
    await rename(draft, path)
  } catch (error) {
    await unlink(draft).catch(() => {})
    throw error
  }
}

/** The new content beside the file, which keeps its owner. @returns its path. */
async function writeDraft(path: string, text: string, owner: FileOwner | undefined): Promise<string> {
  const keep = (await stat(path).catch(() => undefined)) ?? owner
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    if (keep && process.getuid?.() === 0) await handle.chown(keep.uid, keep.gid)
    await handle.sync()
  } catch (error) {
    await unlink(draft).catch(() => {})
    throw error
  } finally {
    await handle.close()
  }
  return draft
}

/** Where a symbolic link leads, also when nothing is there yet. */
async function followLink(file: string): Promise<string> {
  try {
    return await realpath(file)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    return join(await realpath(dirname(file)), basename(file))
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

const isThere = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined
