package main

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
)

// revision of the native protocol that the stand-in speaks: the last one whose blocks have no serialization flags.
const revision = 54453

// clickhouseStandIn speaks ClickHouse's native protocol: it learns tables from their CREATE TABLE, takes INSERTs into
// them, and answers the few questions that postcall asks of a server before it loads. Of a row it keeps the call_id.
type clickhouseStandIn struct {
	seen
	addr string
	down atomic.Bool // takes no connection and answers nothing

	mu         sync.Mutex
	tables     map[string]table
	migrations [][3]string // version, name, checksum
}

type table struct {
	names, types []string
	ddl          string
}

func newClickHouseStandIn() (*clickhouseStandIn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &clickhouseStandIn{addr: l.Addr().String(), tables: map[string]table{}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c, nil
}

// session is one connection.
type session struct {
	c        *clickhouseStandIn
	conn     net.Conn
	r        *proto.Reader
	buf      proto.Buffer
	compress bool // as the query at hand asks for
	w        *compress.Writer
}

func (c *clickhouseStandIn) serve(conn net.Conn) {
	defer conn.Close()
	s := &session{c: c, conn: conn, r: proto.NewReader(conn), w: compress.NewWriter(0, compress.None)}
	for {
		code, err := s.r.UVarInt()
		if err != nil || c.down.Load() {
			return
		}
		switch proto.ClientCode(code) {
		case proto.ClientCodeHello:
			var h proto.ClientHello
			err = h.Decode(s.r)
			hello := proto.ServerHello{Name: "stand-in", Major: 26, Minor: 3, Revision: revision, Timezone: "UTC", DisplayName: "stand-in"}
			hello.EncodeAware(&s.buf, revision)
		case proto.ClientCodePing:
			proto.ServerCodePong.Encode(&s.buf)
		case proto.ClientCodeQuery:
			err = s.query()
		case proto.ClientCodeData: // the rest of an insert that was given up
			_, err = s.block()
		case proto.ClientCodeCancel:
			return
		default:
			err = fmt.Errorf("packet %d", code)
		}
		if err != nil {
			s.fail(err)
			return
		}
		if s.flush() != nil {
			return
		}
	}
}

func (s *session) flush() error {
	err := writeAll(s.conn, s.buf.Buf)
	s.buf.Reset()
	return err
}

// fail tells the client why the connection ends.
func (s *session) fail(err error) {
	s.buf.Reset()
	proto.ServerCodeException.Encode(&s.buf)
	s.buf.PutInt32(1)
	s.buf.PutString("Bench::Exception")
	s.buf.PutString("stand-in: " + err.Error())
	s.buf.PutString("")
	s.buf.PutBool(false)
	_ = s.flush() // it ends either way
}

// typesRE is how a client asks for the types of columns.
var typesRE = regexp.MustCompile("(?is)^\\s*SELECT (.*) FROM ([\\w.`]+) LIMIT 0$")

var insertRE = regexp.MustCompile("(?is)^\\s*INSERT INTO ([\\w.`]+)\\s*\\(([^)]*)\\)\\s*(?:VALUES|FORMAT)")

func (s *session) query() error {
	var q proto.Query
	if err := q.DecodeAware(s.r, revision); err != nil {
		return err
	}
	s.compress = q.Compression == proto.CompressionEnabled
	// What follows a query are external tables: an empty block says that there are none.
	if code, err := s.r.UVarInt(); err != nil || proto.ClientCode(code) != proto.ClientCodeData {
		return errors.Join(fmt.Errorf("packet %d after a query", code), err)
	}
	if _, err := s.block(); err != nil {
		return err
	}
	if m := insertRE.FindStringSubmatch(q.Body); m != nil {
		if err := s.insert(m[1], m[2]); err != nil {
			return err
		}
	} else if m := typesRE.FindStringSubmatch(q.Body); m != nil {
		if err := s.head(m[2], m[1]); err != nil {
			return err
		}
	} else if cols := s.c.answer(q.Body); cols != nil {
		if err := s.data(cols); err != nil {
			return err
		}
	}
	proto.ServerCodeEndOfStream.Encode(&s.buf)
	return nil
}

// head appends a block without rows: columns of a table with their types.
func (s *session) head(name, list string) error {
	s.c.mu.Lock()
	t, ok := s.c.tables[strings.ReplaceAll(name, "`", "")]
	s.c.mu.Unlock()
	if !ok {
		return errors.New("no table " + name)
	}
	var head proto.Buffer
	proto.BlockInfo{BucketNum: -1}.Encode(&head)
	columns := strings.Split(list, ",")
	head.PutInt(len(columns))
	head.PutInt(0)
	for _, c := range columns {
		i := slices.Index(t.names, strings.Trim(strings.TrimSpace(c), "`\""))
		if i < 0 {
			return errors.New("no column " + c)
		}
		head.PutString(t.names[i])
		head.PutString(t.types[i])
	}
	return s.send(head.Buf)
}

// insert says what the columns are and takes blocks until an empty one.
func (s *session) insert(name, list string) error {
	if err := errors.Join(s.head(name, list), s.flush()); err != nil {
		return err
	}
	for {
		code, err := s.r.UVarInt()
		if err != nil || proto.ClientCode(code) != proto.ClientCodeData {
			return errors.Join(fmt.Errorf("packet %d in an insert", code), err)
		}
		if rows, err := s.block(); err != nil || rows == 0 {
			return err
		}
	}
}

// send appends a data packet with an encoded block.
func (s *session) send(block []byte) error {
	proto.ServerCodeData.Encode(&s.buf)
	s.buf.PutString("")
	if !s.compress {
		s.buf.PutRaw(block)
		return nil
	}
	if err := s.w.Compress(block); err != nil {
		return err
	}
	s.buf.PutRaw(s.w.Data)
	return nil
}

// data appends a result: its columns without rows, then the rows.
func (s *session) data(cols []proto.InputColumn) error {
	var b proto.Buffer
	block := proto.Block{Info: proto.BlockInfo{BucketNum: -1}, Columns: len(cols), Rows: cols[0].Data.Rows()}
	if err := block.EncodeBlock(&b, revision, cols); err != nil {
		return err
	}
	return s.send(b.Buf)
}

var (
	createRE    = regexp.MustCompile(`(?is)CREATE TABLE (?:IF NOT EXISTS )?([\w.]+)\s*\((.*)\)\s*ENGINE`)
	alterRE     = regexp.MustCompile(`(?is)ALTER TABLE ([\w.]+)\s+ADD COLUMN (?:IF NOT EXISTS )?(\w+)\s+(\w+(?:\((?:[^()]|\([^()]*\))*\))?)`)
	columnRE    = regexp.MustCompile(`(?m)^\s+(\w+)\s+((?:\w+)(?:\((?:[^()]|\([^()]*\))*\))?)`)
	migrationRE = regexp.MustCompile(`(?s)schema_migrations.*SELECT (\d+), '(\w+)', '(\w+)'`)
)

// create learns a table from its definition, one column a line.
func (c *clickhouseStandIn) create(ddl string) {
	m := createRE.FindStringSubmatch(ddl)
	if m == nil {
		return
	}
	t := table{ddl: ddl}
	for _, col := range columnRE.FindAllStringSubmatch(m[2], -1) {
		if col[1] != "INDEX" {
			t.names, t.types = append(t.names, col[1]), append(t.types, col[2])
		}
	}
	c.tables[m[1]] = t
}

// alter learns a column that a later migration adds.
func (c *clickhouseStandIn) alter(ddl string) {
	m := alterRE.FindStringSubmatch(ddl)
	if t, ok := c.tables[m[1]]; ok && !slices.Contains(t.names, m[2]) {
		t.names, t.types = append(t.names, m[2]), append(t.types, m[3])
		c.tables[m[1]] = t
	}
}

// answer is the result of a statement that is not an insert of rows; nil has none.
func (c *clickhouseStandIn) answer(sql string) []proto.InputColumn {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := func(name string, data proto.ColInput) []proto.InputColumn {
		return []proto.InputColumn{{Name: name, Data: data}}
	}
	text := func(vs ...string) *proto.ColStr {
		col := new(proto.ColStr)
		for _, v := range vs {
			col.Append(v)
		}
		return col
	}
	raw := c.tables["postcall.calls_raw"]
	switch {
	case migrationRE.MatchString(sql):
		m := migrationRE.FindStringSubmatch(sql)
		c.migrations = append(c.migrations, [3]string{m[1], m[2], m[3]})
	case strings.Contains(sql, "FROM postcall.schema_migrations"):
		var version proto.ColUInt32
		name, sum := text(), text()
		at := new(proto.ColDateTime64).WithPrecision(3)
		for _, m := range c.migrations {
			v, _ := strconv.ParseUint(m[0], 10, 32) // digits, as the pattern says
			version.Append(uint32(v))
			name.Append(m[1])
			sum.Append(m[2])
			at.Append(time.Now())
		}
		return []proto.InputColumn{{Name: "version", Data: version}, {Name: "name", Data: name}, {Name: "checksum", Data: sum}, {Name: "applied_at", Data: at}}
	case strings.Contains(sql, "FROM postcall.schema_views"): // it forgets them: they are made again
		at := new(proto.ColDateTime64).WithPrecision(3)
		return []proto.InputColumn{{Name: "version", Data: proto.ColUInt32{}}, {Name: "name", Data: text()}, {Name: "checksum", Data: text()}, {Name: "applied_at", Data: at}}
	case strings.Contains(sql, "count()"): // also of tables: call_facts and what copies into it are there
		return one("count()", proto.ColUInt64{1})
	case strings.Contains(sql, "create_table_query"): // no table has a TTL
		return []proto.InputColumn{{Name: "name", Data: text()}, {Name: "create_table_query", Data: text()}, {Name: "engine_full", Data: text()}}
	case strings.Contains(sql, "FROM system.columns"):
		names := proto.NewArray(new(proto.ColStr))
		names.Append(raw.names)
		return one("groupArray(name)", names)
	case strings.Contains(sql, "FROM system.tables"):
		return []proto.InputColumn{{Name: "engine", Data: text("ReplacingMergeTree")}, {Name: "engine_full", Data: text(raw.ddl)}}
	case alterRE.MatchString(sql):
		c.alter(sql)
	case strings.Contains(sql, "CREATE "):
		c.create(sql)
	case strings.Contains(sql, "version()"):
		return one("version()", text("26.3.1.1"))
	}
	return nil
}

// block reads a data packet behind its code, counts its call ids and returns its rows.
func (s *session) block() (rows int, err error) {
	var data proto.ClientData
	if err := data.DecodeAware(s.r, revision); err != nil {
		return 0, err
	}
	if s.compress {
		s.r.EnableCompression()
		defer s.r.DisableCompression()
	}
	var ids [][]byte
	defer func() {
		if len(ids) > 0 && err == nil {
			s.c.add(ids)
		}
	}()
	var info proto.BlockInfo
	if err := info.Decode(s.r); err != nil {
		return 0, err
	}
	columns, err1 := s.r.Int()
	rows, err2 := s.r.Int()
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	for range columns {
		name, err1 := s.r.Str()
		typ, err2 := s.r.Str()
		if err := errors.Join(err1, err2); err != nil {
			return 0, err
		}
		if name == "call_id" {
			for range rows {
				id, err := s.r.StrAppend(nil)
				if err != nil {
					return 0, err
				}
				ids = append(ids, id)
			}
			continue
		}
		if strings.Contains(typ, "LowCardinality") && rows > 0 {
			if _, err := s.r.Int64(); err != nil { // version of the keys
				return 0, err
			}
		}
		if err := skip(s.r, typ, rows); err != nil {
			return 0, fmt.Errorf("column %s: %w", name, err)
		}
	}
	return rows, nil
}

// skip reads n values of a type.
func skip(r *proto.Reader, typ string, n int) error {
	if n == 0 {
		return nil
	}
	base, inner, _ := strings.Cut(strings.TrimSuffix(typ, ")"), "(")
	switch base {
	case "Array": // ends, then the values
		raw, err := r.ReadRaw(8 * n)
		if err != nil {
			return err
		}
		end := 0
		for i := range 8 {
			end |= int(raw[8*(n-1)+i]) << (8 * i)
		}
		return skip(r, inner, end)
	case "Nullable":
		if _, err := r.ReadRaw(n); err != nil {
			return err
		}
		return skip(r, inner, n)
	case "LowCardinality": // width of a key, the dictionary, the keys
		meta, err1 := r.Int64()
		size, err2 := r.Int64()
		if err := errors.Join(err1, err2, skip(r, inner, int(size))); err != nil {
			return err
		}
		keys, err := r.Int64()
		if err == nil {
			_, err = r.ReadRaw(int(keys) << (meta & 3))
		}
		return err
	case "String":
		for range n {
			if _, err := r.StrRaw(); err != nil {
				return err
			}
		}
		return nil
	}
	width := map[string]int{"UInt8": 1, "Bool": 1, "UInt16": 2, "UInt32": 4, "Int32": 4, "UInt64": 8, "Int64": 8, "Float32": 4, "Float64": 8, "DateTime": 4, "DateTime64": 8}[base]
	if width == 0 {
		return errors.New("type " + typ)
	}
	_, err := r.ReadRaw(n * width)
	return err
}
