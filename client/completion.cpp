#include "client/verb.hpp"
#include "conf/base/tr.hpp"

namespace cloister::client {
namespace {

/// "list --all --inactive …" for each verb, one a line.
std::string words_of(const Verb& verb) {
    std::string out(verb.name);
    for (const auto& arg : verb.args)
        if (arg.takes == Takes::flag || arg.takes == Takes::option) out += " --" + std::string(arg.name);
    return out;
}
bool takes_domain(const Verb& verb) {
    for (const auto& arg : verb.args)
        if (arg.name == "domain" && arg.takes != Takes::option) return true;
    return verb.name == "explain";
}

/// One function serves bash and, through bashcompinit, zsh.
std::string for_bash(bool zsh) {
    std::string verbs, cases;
    for (const auto family : families())
        for (const auto& verb : family) {
            verbs += (verbs.empty() ? "" : " ") + std::string(verb.name);
            auto words = words_of(verb);
            words.erase(0, verb.name.size());
            cases += "    " + std::string(verb.name) + ") words='" + words + "'" +
                     (takes_domain(verb) ? "; domains=yes" : "") + " ;;\n";
        }
    return std::string(zsh ? "autoload -U +X bashcompinit && bashcompinit\n" : "") +
           "_cloister() {\n"
           "  local current=${COMP_WORDS[COMP_CWORD]} verb= words= domains= i\n"
           "  for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -* ]] || { "
           "verb=${COMP_WORDS[i]}; break; }; done\n"
           "  case $verb in\n"
           "    '') words='" +
           verbs + " --socket --connect --readonly --format --help --version' ;;\n" + cases +
           "  esac\n"
           "  if [[ $domains && $current != -* ]]; then words=$(cloister list --all --name 2>/dev/null); fi\n"
           "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "}\ncomplete -F _cloister -o default cloister\n";
}
std::string for_fish() {
    std::string out = "complete -c cloister -f\n";
    for (const auto family : families())
        for (const auto& verb : family) {
            const auto name = std::string(verb.name);
            out += "complete -c cloister -n __fish_use_subcommand -a " + name + " -d '" +
                   translated(std::string(verb.help).c_str()) + "'\n";
            for (const auto& arg : verb.args)
                if (arg.takes == Takes::flag || arg.takes == Takes::option)
                    out += "complete -c cloister -n '__fish_seen_subcommand_from " + name + "' -l " +
                           std::string(arg.name) + (arg.takes == Takes::option ? " -r" : "") + "\n";
            if (takes_domain(verb))
                out += "complete -c cloister -n '__fish_seen_subcommand_from " + name +
                       "' -a '(cloister list --all --name 2>/dev/null)'\n";
        }
    return out;
}

} // namespace

Result<std::string> completion_script(std::string_view shell) {
    if (shell == "bash") return for_bash(false);
    if (shell == "zsh") return for_bash(true);
    if (shell == "fish") return for_fish();
    return fail(Code::invalid_arg, tr("unknown shell '{0}': bash, zsh and fish are known", shell));
}

} // namespace cloister::client
