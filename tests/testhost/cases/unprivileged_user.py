"""Somebody who is not root, on the installed service."""
from in_host import Case, URI, destroy, domain, sh, start, state, virsh

case = Case()
case.equal("start", start(domain("theirs", memory=32)), "")
said = virsh("list", user="alice", check=False)
case.check("alice without a rule: refused", "error" in said and "theirs" not in said, said.splitlines()[-1])
said = virsh("-r", "list", user="alice", check=False, uri=URI + "-ro")
case.note(said)
sh("""mkdir -p /etc/polkit-1/rules.d && cat >/etc/polkit-1/rules.d/10-alice.rules <<'RULE'
polkit.addRule(function(action, subject) {
    if (action.id == "org.libvirt.unix.monitor" && subject.user == "alice") return polkit.Result.YES;
});
RULE
chmod 755 /etc/polkit-1/rules.d; restorecon -R /etc/polkit-1; systemctl restart polkit""")
said = virsh("-r", "list", user="alice", check=False, uri=URI + "-ro")
case.check("with a rule for org.libvirt.unix.monitor: she may look", "theirs" in said, said)
said = virsh("destroy", "theirs", user="alice", check=False)
case.check("but not destroy", "error" in said, said.splitlines()[-1])
case.equal("it still runs", state("theirs"), "running")
destroy("theirs")
case.end()
