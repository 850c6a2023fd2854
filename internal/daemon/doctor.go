package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/standing-log/standing/internal/node"
)

func doctorCommand(began *bool) *cobra.Command {
	var dir, url string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor --dir DIR [--json]",
		Short: "look at a node, running or not, and say what to do next",
		Long: `doctor looks at keys, configuration, disk, store and evidence of a node, asks it,
its cosigners and its mirrors what they hold, and says for each what to do next.
It changes nothing. The store of a node that does not run is opened as a start
would; "standing fsck DIR" reads all of it.

Exit code 0, or 1 if anything is bad.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			*began = true
			return report(cmd.OutOrStdout(), node.Doctor(cmd.Context(), dir, url), asJSON)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the node")
	cmd.Flags().StringVar(&url, "url", "http://127.0.0.1:2025", "where the node serves, if it runs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// report writes the findings; it fails if one is bad.
func report(w io.Writer, found []node.Finding, asJSON bool) error {
	bad := 0
	for _, f := range found {
		if f.Level == node.Bad {
			bad++
		}
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"findings": found, "bad": bad}); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			_, _ = fmt.Fprintf(w, "%-8s %s: %s\n", f.Level, f.Name, f.Detail)
			if f.Next != "" {
				_, _ = fmt.Fprintf(w, "         next: %s\n", f.Next)
			}
		}
	}
	if bad > 0 {
		return errors.New("something is bad")
	}
	return nil
}
