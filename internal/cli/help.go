package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// overview is the help of the whole. A test compares its commands with those
// that exist.
const overview = `standing shows which security attestations exist for open-source components, and whether they still stand.

Check      check SBOM       tell what is attested about components; reveals nothing
           report           keep what was found, with its proofs; find it again later
           verify FILE      judge a bundle; never uses the network
           watch SBOM       tell when something happens to them; reveals nothing
           monitor FILE     watch logs for a team: webhooks, programs, a feed
           status SUBJECT   ask a log about a purl, digest or id; reveals it to the log
           show FILE        explain a bundle or an entry; decides nothing
Attest     new [PURL]       write a commented attestation.yaml, filled in from the repository
           issue FILE       show what becomes public, sign it, submit it
           renew ID         carry an attestation forward into a new draft
           revoke ID        withdraw an attestation or claims of it, hold it, or lift a hold
           submit FILE…     send signed entries (may be repeated), or log a document by its digest
Take part  keygen           make an ordinary and a recovery key
           join LOG         write a signed request to be enrolled in a log
           enrol REQUEST    check a request, and sign it as the log's registrar
           key              add, retire or report a key, or revoke what it attested
           programme        publish rules to issue under, amend or close them
           trust            store and show whom you believe
           demo             see all of it happen on this machine
           fsck URL|DIR     read a whole log and recompute everything
Flags      --trust FILE     (default: what "trust add" stored)
           -o text|json     --max-age 24h
Exit       0 stands   1 does not stand   2 usage   3 cannot tell   4 evidence fails or contradicts
           75 log unreachable, nothing lost

"standing COMMAND --help" says more.
`

// help prints the overview, or what a command's Long says.
func (a *app) help(cmd *cobra.Command, _ []string) {
	if !cmd.HasParent() {
		fmt.Fprint(a.stdout, overview)
		return
	}
	fmt.Fprintf(a.stdout, "%s\n\n%s\n", cmd.UseLine(), strings.TrimSpace(cmd.Long))
}

// command makes a command. long explains it and lists its flags.
func command(use, long string, args cobra.PositionalArgs, run func(*cobra.Command, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Long: long, RunE: run, DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, list []string) error {
			if err := args(cmd, list); err != nil {
				return usage("%s: %v", cmd.CommandPath(), err).hinted("usage: " + cmd.UseLine())
			}
			return nil
		},
	}
}
