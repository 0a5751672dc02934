import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeBundle } from '../../src/assets/bundle-file.ts'
import { type AssetContext, obtain, type Recipe } from '../../src/assets/recipe.ts'
import type { ProgressEvent } from '../../src/events.ts'
import { changeByte, scratch } from './scratch.ts'

async function contextOf(more: Partial<AssetContext> = {}) {
  const events: ProgressEvent[] = []
  const cache = await scratch()
  const report = (event: ProgressEvent) => events.push(event)
  const context: AssetContext = { cache, report, env: process.env, sites: async () => ({}), ...more }
  return { context, events }
}

const recipeOf = (content: string, more: Partial<Recipe> = {}) => {
  let builds = 0
  const recipe: Recipe = {
    name: 'thing',
    version: '1',
    title: 'Thing 1',
    ingredients: [content],
    build: async (dir, { progress }) => {
      builds++
      progress('compiled 3 packages')
      await writeFile(join(dir, 'thing'), content)
    },
    ...more,
  }
  return { recipe, builds: () => builds }
}

test('an asset is built once, with progress and the time it took, then comes from the cache silently', async () => {
  const { context, events } = await contextOf()
  const { recipe, builds } = recipeOf('a')

  const first = await obtain(recipe, context)
  const reported = events.splice(0)
  const second = await obtain(recipe, context)

  expect(second).toEqual(first)
  expect(builds()).toBe(1)
  expect(reported.map((event) => event.type)).toEqual(['step-started', 'step-progress', 'step-finished'])
  expect(reported[1]).toMatchObject({ detail: 'compiled 3 packages (0 s)' })
  expect(events).toEqual([])
})

test('whoever comes at the same time waits and gets what the first one built', async () => {
  const { context } = await contextOf()
  const { recipe, builds } = recipeOf('a')

  const assets = await Promise.all([obtain(recipe, context), obtain(recipe, context)])

  expect(builds()).toBe(1)
  expect(assets[0]).toEqual(assets[1])
})

test('another recipe is another asset, and the former one stays', async () => {
  const { context } = await contextOf()

  const before = await obtain(recipeOf('a').recipe, context)
  const after = await obtain(recipeOf('b').recipe, context)

  expect(await readFile(join(before.dir, 'thing'), 'utf8')).toBe('a')
  expect(await readFile(join(after.dir, 'thing'), 'utf8')).toBe('b')
})

test('a build that failed is tried again by the next command', async () => {
  const { context, events } = await contextOf()
  const { recipe } = recipeOf('a')
  const broken = { ...recipe, build: () => Promise.reject(new Error('the compiler said no')) }

  await expect(obtain(broken, context)).rejects.toThrow('the compiler said no')

  expect(events.at(-1)).toMatchObject({ type: 'step-failed', error: 'the compiler said no' })
  expect(await obtain(recipe, context)).toMatchObject({ source: 'built' })
})

test('a damaged asset is never used: it is made again, and a warning says so', async () => {
  const { context, events } = await contextOf()
  const { recipe, builds } = recipeOf('a')
  const { dir } = await obtain(recipe, context)
  await changeByte(join(dir, 'thing'))
  events.splice(0)

  const again = await obtain(recipe, context)

  expect(builds()).toBe(2)
  expect(await readFile(join(again.dir, 'thing'), 'utf8')).toBe('a')
  expect(events).toContainEqual({
    type: 'warning',
    message: `Thing 1 in the cache is damaged and is not used: ${dir}/thing was changed. It is made or fetched again.`,
  })
  events.splice(0)
  expect(await obtain(recipe, context)).toEqual(again)
  expect(events).toEqual([])
})

test('what was just made is not read again by the next command, but for a command that verifies', async () => {
  const { context } = await contextOf()
  const { recipe, builds } = recipeOf('a', { linked: true })
  const { dir } = await obtain(recipe, context)
  await changeByte(join(dir, 'thing'))

  await obtain(recipe, context)
  expect(builds()).toBe(1)

  await obtain(recipe, { ...context, verify: true })
  expect(builds()).toBe(2)
})

test('a bundle comes before a build, and an asset that it does not hold is built', async () => {
  const { context: origin } = await contextOf()
  const file = join(await scratch(), 'bundle.tar')
  const asset = await obtain(recipeOf('a').recipe, origin)
  const bundle = await writeBundle(file, '1.36.3', [asset], () => {})
  const { context } = await contextOf({ bundle })
  const { recipe, builds } = recipeOf('a')

  const taken = await obtain(recipe, context)
  const other = await obtain(recipeOf('b').recipe, context)

  expect(builds()).toBe(0)
  expect(taken).toMatchObject({ source: 'bundle', sha256: asset.sha256 })
  expect(other).toMatchObject({ source: 'built' })
})
