package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/postcall/postcall/connector"
)

// Retention is how long calls are kept, in days after their last delivery, of an import after their end; 0 is for ever.
type Retention struct {
	Days     int // whole calls
	Personal int // what is personal in them
}

func retentionOf(cfg connector.ClickHouseConfig) Retention {
	return Retention{Days: cfg.KeepDays, Personal: cfg.KeepPersonalDays}
}

// personal are the columns that say something of the caller, in the tables that have rows of calls. What the numbers of a call
// were, its topics of the taxonomy and its agent stay.
var personal = map[string][]string{
	table: {
		"caller_name", "customer_phone_number", "mentioned_email", "mentioned_date", "mentioned_time", "summary", "long_summary",
		"purpose", "topic", "key_points", "unanswered_questions", "action_items", "follow_up_reason", "recording_url", "dashboard_url",
		"extra", "customer_key", "email_key",
	},
	factsTable: {"topic", "unanswered_questions", "action_items", "caller"},
}

// expiry is the time of a row from which its days are counted, as the server writes it. It is made of the version, since that
// never falls from one row of a call to its next: so no older row outlives a newer one, and none comes back into sight. With
// call_started in it, a call whose start was corrected to an earlier time would come back as it was before.
const expiry = "toDateTime(intDiv(version, 1000000))"

// A tombstone stays: it holds the key alone, and an older delivery must find it.
const keepTombstones = " WHERE is_deleted = 0"

var (
	ourTTL = regexp.MustCompile(regexp.QuoteMeta(expiry) + ` \+ toIntervalDay\((\d+)\)`)
	rowTTL = regexp.MustCompile(`(?s) TTL (.*?)(?: SETTINGS |$)`)
)

// foreign stands for a TTL that somebody else has set.
const foreign = -1

func ttl(days int) string { return fmt.Sprintf("%s + toIntervalDay(%d)", expiry, days) }

// kept is what a table says about how long it keeps rows and columns.
type kept struct {
	days    int
	columns map[string]int
}

func daysOf(expression string) int {
	m := ourTTL.FindStringSubmatch(expression)
	if m == nil {
		return foreign
	}
	n, _ := strconv.Atoi(m[1]) // digits
	return n
}

// keptIn reads the definition of a table.
func keptIn(name, create, engine string) kept {
	k := kept{columns: map[string]int{}}
	if m := rowTTL.FindStringSubmatch(engine); m != nil {
		k.days = daysOf(m[1])
	}
	for _, c := range personal[name] {
		column := regexp.MustCompile("`" + c + "` [^`]*? TTL ([^`]*)").FindStringSubmatch(create)
		if column != nil {
			k.columns[c] = daysOf(column[1])
		}
	}
	return k
}

// change returns the statements that make a table keep what is wanted. A TTL of somebody else goes only where another one is
// to take its place.
func (t target) change(name string, have kept, want Retention) []string {
	alter := "ALTER TABLE " + t.Table(name) + t.OnCluster() + " "
	var columns, statements []string
	for _, c := range personal[name] {
		switch days := have.columns[c]; {
		case days == want.Personal, days == foreign && want.Personal == 0:
		case want.Personal == 0:
			columns = append(columns, "MODIFY COLUMN "+c+" REMOVE TTL")
		default:
			columns = append(columns, "MODIFY COLUMN "+c+" TTL "+ttl(want.Personal))
		}
	}
	if len(columns) > 0 {
		statements = append(statements, alter+"\n    "+strings.Join(columns, ",\n    "))
	}
	switch {
	case have.days == want.Days, have.days == foreign && want.Days == 0:
	case want.Days == 0:
		statements = append(statements, alter+"REMOVE TTL")
	default:
		statements = append(statements, alter+"MODIFY TTL "+ttl(want.Days)+keepTombstones)
	}
	return statements
}

// retention returns a step for each table that keeps something else than is wanted, or has to: the state is read from the
// table itself, so that there is no record that could be wrong.
func (m *Migrator) retention(ctx context.Context) ([]Migration, error) {
	have, err := m.kept(ctx)
	if err != nil {
		return nil, err
	}
	var steps []Migration
	for _, name := range []string{table, factsTable} {
		step := Migration{Name: "retention_" + name, State: Applied, label: fmt.Sprintf("retention of %s: %s", name, m.keep)}
		step.Statements = m.target.change(name, have[name], m.keep)
		switch {
		case len(step.Statements) > 0:
			step.State = Pending
		case m.keep == Retention{}:
			continue // nothing to say
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// kept reads both tables. One that is not there yet keeps everything.
func (m *Migrator) kept(ctx context.Context) (map[string]kept, error) {
	const act = "read how long calls are kept"
	rows, err := m.conn.Query(ctx, "SELECT name, create_table_query, engine_full FROM system.tables WHERE database = ? AND name IN (?, ?)",
		m.target.database, table, factsTable)
	if err != nil {
		return nil, explain(ctx, act, err)
	}
	defer func() { _ = rows.Close() }()
	have := map[string]kept{}
	for rows.Next() {
		var name, create, engine string
		if err := rows.Scan(&name, &create, &engine); err != nil {
			return nil, explain(ctx, act, err)
		}
		have[name] = keptIn(name, create, engine)
	}
	return have, explain(ctx, act, rows.Err())
}

// String says it in words.
func (r Retention) String() string {
	calls, texts := "calls for ever", "what is personal as long"
	if r.Days > 0 {
		calls = fmt.Sprintf("calls for %d days", r.Days)
	}
	if r.Personal > 0 {
		texts = fmt.Sprintf("what is personal for %d", r.Personal)
	}
	return calls + ", " + texts
}
