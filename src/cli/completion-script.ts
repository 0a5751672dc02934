import type { Command } from 'commander'

/** One place in the tree of verbs and what may follow there. */
interface Place {
  /** Words typed so far, for example `create cluster`. */
  path: string
  verbs: { name: string; description: string }[]
  options: { long: string; description: string }[]
}

/** A script made from the verbs as they are, so that it never lags behind them. */
export function completionScript(program: Command, shell: 'bash' | 'zsh' | 'fish'): string {
  const places = placesBelow(program, [])
  if (shell === 'bash') return bashScript(places)
  return shell === 'zsh' ? zshScript(places) : fishScript(places)
}

function placesBelow(command: Command, path: readonly string[]): Place[] {
  const help = command.createHelp()
  const verbs = help.visibleCommands(command).filter((verb) => verb.name() !== 'help')
  const here: Place = {
    path: path.join(' '),
    verbs: verbs.map((verb) => ({ name: verb.name(), description: sentence(verb.description()) })),
    options: help
      .visibleOptions(command)
      .flatMap((option) =>
        option.long ? [{ long: option.long, description: sentence(option.description) }] : [],
      ),
  }
  return [here, ...verbs.flatMap((verb) => placesBelow(verb, [...path, verb.name()]))]
}

/** The first sentence, without what a shell could read as its own. */
const sentence = (text: string) => (text.split(/[.;] |\.$/)[0] ?? '').replaceAll(/["'`$\\]/g, '')

const words = (place: Place) =>
  [...place.verbs.map((verb) => verb.name), ...place.options.map((option) => option.long)].join(' ')

/** Shell code that sets `place` to the longest known path among the words before the cursor. */
const walk = (places: readonly Place[]) => {
  const paths = places.filter((place) => place.path !== '').map((place) => `"${place.path}"`)
  return `case "\${place:+$place }$word" in ${paths.join('|')}) place="\${place:+$place }$word" ;; esac`
}

const answers = (places: readonly Place[]) =>
  places.map((place) => `    "${place.path}") offered="${words(place)}" ;;`).join('\n')

const bashScript = (places: readonly Place[]) => `# bash completion for holdfast
_holdfast() {
  local place="" offered="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    ${walk(places)}
  done
  case "$place" in
${answers(places)}
  esac
  COMPREPLY=($(compgen -W "$offered" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _holdfast holdfast
`

const zshScript = (places: readonly Place[]) => `#compdef holdfast
_holdfast() {
  local place="" offered="" word
  for word in "\${words[@]:1:$((CURRENT - 2))}"; do
    ${walk(places)}
  done
  case "$place" in
${answers(places)}
  esac
  compadd -- \${=offered}
  _files
}
if [ "$funcstack[1]" = "_holdfast" ]; then _holdfast "$@"; else compdef _holdfast holdfast; fi
`

function fishScript(places: readonly Place[]): string {
  const lines = ['# fish completion for holdfast']
  for (const place of places) {
    const condition = fishCondition(place)
    for (const verb of place.verbs) {
      lines.push(`complete -c holdfast -n "${condition}" -f -a "${verb.name}" -d "${verb.description}"`)
    }
    for (const option of place.options) {
      lines.push(
        `complete -c holdfast -n "${condition}" -l "${option.long.slice(2)}" -d "${option.description}"`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}

function fishCondition(place: Place): string {
  const seen = place.path
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => `__fish_seen_subcommand_from ${word}`)
  const next = place.verbs.map((verb) => verb.name).join(' ')
  return [...seen, ...(next ? [`not __fish_seen_subcommand_from ${next}`] : [])].join('; and ') || 'true'
}
