/** The scripts by which shells complete commands: each asks the program itself, at each Tab, and leaves files of this machine to the shell. */

/** The verb that they ask; nobody types it. */
export const COMPLETE_VERB = "__complete";

const BASH = `# bash: completes agentd. In ~/.bashrc: source <(agentd completions bash)
_agentd() {
  local line value
  COMPREPLY=()
  while IFS= read -r line; do
    value=\${line%%$'\\t'*}
    if [[ $value == :files ]]; then
      compopt -o filenames
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    else
      COMPREPLY+=("$(printf %q "$value")")
      if [[ $value == */ ]]; then compopt -o nospace; fi
    fi
  done < <("\${COMP_WORDS[0]}" ${COMPLETE_VERB} bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _agentd agentd agentctl
`;

const ZSH = `#compdef agentd agentctl
# zsh: completes agentd. In ~/.zshrc, behind compinit: source <(agentd completions zsh)
_agentd() {
  local line value about
  local -a plain shown dirs
  local files=
  while IFS= read -r line; do
    value=\${line%%$'\\t'*}
    about=
    if [[ $line == *$'\\t'* ]]; then about="  -- \${line#*$'\\t'}"; fi
    if [[ $value == :files ]]; then
      files=1
    elif [[ $value == */ ]]; then
      dirs+=("$value")
    else
      plain+=("$value")
      shown+=("$value$about")
    fi
  done < <("\${words[1]}" ${COMPLETE_VERB} zsh -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#plain} )); then compadd -l -d shown -a plain; fi
  if (( \${#dirs} )); then compadd -S '' -a dirs; fi
  if [[ -n $files ]]; then _files; fi
}
if [[ \${funcstack[1]} == _agentd ]]; then _agentd "$@"; else compdef _agentd agentd agentctl; fi
`;

const FISH =
  `# fish: completes agentd. agentd completions fish > ~/.config/fish/completions/agentd.fish
function __agentd_complete
    set -l typed (commandline -ct)
    set -q typed[1]; or set typed ""
    set -l before (commandline -opc)
    for line in ($before[1] ${COMPLETE_VERB} fish -- $before[2..-1] "$typed" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$typed"
        else
            echo $line
        end
    end
end
complete -c agentd -f -a '(__agentd_complete)'
complete -c agentctl -f -a '(__agentd_complete)'
`;

export const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
