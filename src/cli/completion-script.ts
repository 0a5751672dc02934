export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** A script that asks `holdfast __complete` on each TAB, so that it never lags behind the verbs. */
export const completionScript = (shell: Shell): string => scripts[shell]

const bash = `# bash completion for holdfast
_holdfast() {
  local words=() word glue='' typed="\${COMP_WORDS[COMP_CWORD]}"
  # bash takes --name=x and file:///x apart at = and :, here they come together again.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ \${#words[@]} -gt 0 && ( -n $glue || $word == [=:] ) ]]; then words[-1]+=$word; else words+=("$word"); fi
    glue=''
    if [[ $word == [=:] ]]; then glue=yes; fi
  done
  if [[ $typed == [=:] ]]; then typed=''; fi
  mapfile -t COMPREPLY < <("\${COMP_WORDS[0]/#\\~/$HOME}" __complete "\${words[@]}" 2>/dev/null | cut -f 1)
  if [[ \${COMPREPLY[0]} == :files ]]; then
    COMPREPLY=()
    compopt -o default
  else
    COMPREPLY=("\${COMPREPLY[@]#"\${words[-1]%"$typed"}"}")
  fi
}
complete -F _holdfast holdfast
`

const zsh = `#compdef holdfast
_holdfast() {
  local line
  local -a lines found
  lines=("\${(@f)$(\${~words[1]} __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ \${lines[1]} == :files ]]; then
    _files
    return
  fi
  for line in $lines; do
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${\${line#*$'\\t'}%%$line}")
  done
  _describe holdfast found
}
if [ "$funcstack[1]" = "_holdfast" ]; then _holdfast "$@"; else compdef _holdfast holdfast; fi
`

const fish = `# fish completion for holdfast
function __holdfast_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l lines ($program __complete $words "$current" 2>/dev/null)
    if test "$lines[1]" = ":files"
        __fish_complete_path "$current"
    else if test (count $lines) -gt 0
        printf '%s\\n' $lines
    end
end
complete -c holdfast -f -a '(__holdfast_complete)'
`

const scripts: Record<Shell, string> = { bash, zsh, fish }
