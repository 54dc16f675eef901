import Postgres

extension RandomType {
    /// The types of `pg_catalog`, in a version.
    static func builtIn(major: Int) -> [RandomType] {
        numbers(major: major) + texts + times + bits + documents + shapes + networks + ranges + inner
    }

    /// Types whose values are numbers.
    static func numbers(major: Int) -> [RandomType] {
        let brin: Set<Access> = [.btree, .hash, .brin]
        var types = [
            RandomType("boolean", ["t", "f"]),
            RandomType("int2", ["0", "-32768", "32767"], brin, ordered: true) { "(\($0))::int2" },
            RandomType("int4", ["0", "-2147483648", "2147483647"], brin, ordered: true) { "(\($0))::int4" },
            RandomType("int8", ["0", "-9223372036854775808", "9223372036854775807", "4294967296"], brin, ordered: true)
            {
                "(\($0))::int8 * 4294967296"
            },
            RandomType("oid", ["0", "4294967295", "7"], brin, ordered: true) { "(\($0))::oid" },
            RandomType("float4", ["0", "-0", "NaN", "Infinity", "-Infinity", "1e-37", "3.4e38", "0.1"], ordered: true) {
                "(\($0))::float4 / 4"
            },
            RandomType("float8", ["0", "-0", "NaN", "Infinity", "-Infinity", "1e-307", "0.1", "1e308"], ordered: true) {
                "(\($0))::float8 / 3"
            },
            RandomType(
                "numeric",
                [
                    "0", "0.00", "-0.0", "NaN", "Infinity", "-Infinity", "1e100", "-1.50", "1.5",
                    "12345678901234567890.123456789",
                ],
                brin,
                ordered: true
            ) { "(\($0))::numeric / 7" },
            RandomType("numeric(12,2)", ["0", "NaN", "-1.005", "9999999999.99"], ordered: true) {
                "(\($0))::numeric(12,2)"
            },
            RandomType("money", ["0", "12.34", "-92233720368547758.08"], [.btree], ordered: true) {
                "(\($0))::int4::money"
            },
        ]
        if major >= 15 {
            types.append(RandomType("numeric(5,-2)", ["0", "1234567", "-50"]))
            types.append(RandomType("numeric(3,5)", ["0", "0.00123", "NaN"]))
        }
        return types
    }

    /// Types whose values are text.
    static var texts: [RandomType] {
        let hostile = [
            "", " ", "a", "it's", "\\", "\\N", "\t\r\n", "NULL", "🦤\u{e9}e\u{301}", "{a,\"b\"}", "(,)", "\u{1}\u{7f}",
            "$$",
        ]
        var text = RandomType("text", hostile, [.btree, .hash, .spgist, .brin]) { "'k' || (\($0))" }
        text.samples += [
            "repeat('toast', 1000)",
            "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 300) AS n)",
            "(SELECT string_agg(md5((7 * n)::text), '') FROM generate_series(1, 90) AS n)",
        ]
        var varying = RandomType("varchar", hostile) { "('v' || (\($0)))::varchar" }
        (text.isCollatable, varying.isCollatable, text.isLarge) = (true, true, true)
        var short = RandomType("varchar(20)", ["", "twenty 🦤 characters", " x "]) { "('s' || (\($0)))::varchar(20)" }
        var padded = RandomType("char(9)", ["", "a", "a  ", "é", "nine char"]) { "('c' || (\($0)))::char(9)" }
        (short.isCollatable, padded.isCollatable) = (true, true)
        return [
            text, varying, short, padded,
            RandomType("bpchar", ["", "a", "a   "]) { "('b' || (\($0)))::bpchar" },
            RandomType("\"char\"", ["", "a", "\\", "'"], [.btree, .hash]),
            RandomType("name", ["", "a b", "quo\"te", "it's"]) { "('n' || (\($0)))::name" },
        ]
    }

    /// Types of days and times.
    static var times: [RandomType] {
        let brin: Set<Access> = [.btree, .hash, .brin]
        return [
            RandomType(
                "date",
                ["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "2024-02-29"],
                brin,
                ordered: true
            ) {
                "'2000-01-01'::date + (\($0))::int4"
            },
            RandomType("time", ["00:00", "24:00", "23:59:59.999999"], brin, ordered: true) {
                "'00:00'::time + (\($0)) * '1 second'::interval"
            },
            RandomType("time(3)", ["12:34:56.789", "24:00"]),
            RandomType("timetz", ["00:00+15:59", "24:00-15:59", "12:00:00.000001+00"]) {
                "'00:00+02'::timetz + (\($0)) * '1 second'::interval"
            },
            RandomType(
                "timestamp",
                ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999", "2000-01-01"],
                brin,
                ordered: true
            ) { "'2020-01-01'::timestamp + (\($0)) * '1 hour'::interval" },
            RandomType("timestamp(0)", ["2020-12-31 23:59:59"]),
            RandomType(
                "timestamptz",
                ["infinity", "-infinity", "4713-01-01 00:00:00+00 BC", "2020-02-29 23:59:59.999999+05"],
                brin,
                ordered: true
            ) { "'2020-01-01 00:00+00'::timestamptz + (\($0)) * '1 hour'::interval" },
            RandomType(
                "interval",
                ["1 mon", "30 days", "720:00:00", "-1 year -2 mons +3 days -04:05:06.789", "0", "178000000 years"],
                brin,
                ordered: true
            ) { "(\($0)) * '1 hour'::interval" },
            RandomType("interval year to month", ["1-2", "-3-4"]),
        ]
    }

    /// Types of bits and bytes.
    static var bits: [RandomType] {
        var bytes = RandomType("bytea", ["", "\\x00ff5c0a27"]) { "decode(md5((\($0))::text), 'hex')" }
        bytes.samples.append("(SELECT string_agg(decode(md5(n::text), 'hex'), '') FROM generate_series(1, 400) AS n)")
        bytes.isLarge = true
        return [
            bytes,
            RandomType("bit(5)", ["00000", "10101"], [.btree]),
            RandomType("bit(32)", [String(repeating: "01", count: 16)], [.btree]) { "(\($0))::int4::bit(32)" },
            RandomType("varbit", ["", "1", "0000000000000000000000000000000001"], [.btree]) {
                "(\($0))::int4::bit(32)::varbit"
            },
            RandomType("varbit(9)", ["", "101", "111111111"], [.btree]),
            RandomType("uuid", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]) {
                "md5((\($0))::text)::uuid"
            },
        ]
    }

    /// Types whose values have a structure.
    static var documents: [RandomType] {
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        var json = RandomType(
            "json",
            ["{\"a\": 1, \"a\" : 2}", "null", " [1,2 , {}] ", "\"\\u0000\\ud83d\\udc26\"", "1e400", deep],
            []
        )
        json.samples.append("(SELECT json_agg(md5(n::text)) FROM generate_series(1, 300) AS n)")
        var jsonb = RandomType(
            "jsonb",
            ["{\"b\": 1, \"a\": [null, 1.00, 1e5]}", "null", "[[1], 2]", "\"é\\n\\\"\"", "{}", deep],
            [.btree, .hash, .gin]
        ) { "to_jsonb((\($0))::int8)" }
        jsonb.samples.append("(SELECT jsonb_agg(md5(n::text)) FROM generate_series(1, 300) AS n)")
        (json.isLarge, jsonb.isLarge) = (true, true)
        return [
            json, jsonb,
            RandomType("xml", ["<a b=\"c\">t</a>", "", "text", "<a/><b/>", "<!-- c --><x>é &amp; ü</x>"], []),
            RandomType("jsonpath", ["$", "strict $.a[*] ? (@.b > 1)", "$.\"quo\\\"te\""], []),
            RandomType("tsvector", ["", "a fat cat", "'it''s' 'back\\\\slash':3A,7B"], [.btree, .gist, .gin]),
            RandomType("tsquery", ["", "fat & (rat | !cat)", "'a b' <-> c:*A"], [.btree, .gist]),
        ]
    }

    /// Geometric types.
    static var shapes: [RandomType] {
        [
            RandomType("point", ["(0,0)", "(-0,NaN)", "(1.5,Infinity)"], [.gist]),
            RandomType("line", ["{1,-1,0}", "{0,1,2.5}"], []),
            RandomType("lseg", ["[(0,0),(1,1)]"], []),
            RandomType("box", ["(1,1),(0,0)", "(0,0),(0,0)"], [.gist, .spgist]),
            RandomType("path", ["[(0,0),(1,1)]", "((0,0),(1,1),(2,0))"], []),
            RandomType("polygon", ["((0,0),(1,1),(2,0))", "((0,0))"], [.gist, .spgist]),
            RandomType("circle", ["<(0,0),1>", "<(1.5,2),0>"], [.gist]),
        ]
    }

    /// Addresses.
    static var networks: [RandomType] {
        [
            RandomType("inet", ["10.0.0.1/8", "::1", "0.0.0.0/0", "2001:db8::1/64"], [.btree, .hash, .spgist, .brin]) {
                "'10.0.0.0'::inet + (\($0))::int8"
            },
            RandomType("cidr", ["10.0.0.0/8", "2001:db8::/64"]),
            RandomType("macaddr", ["08:00:2b:01:02:03"]) {
                "('08002b' || lpad(to_hex((\($0))::int4), 6, '0'))::macaddr"
            },
            RandomType("macaddr8", ["08:00:2b:01:02:03:04:05"]),
        ]
    }

    /// Ranges and multiranges.
    static var ranges: [RandomType] {
        let access: Set<Access> = [.btree, .hash, .gist, .spgist]
        let many: Set<Access> = [.btree, .hash, .gist]
        return [
            RandomType("int4range", ["empty", "(,)", "[1,5]", "[7,)"], access) {
                "int4range((\($0))::int4, (\($0))::int4 + 1)"
            },
            RandomType("int8range", ["empty", "(,9223372036854775807)"], access),
            RandomType("numrange", ["[0.0,1.50)", "(NaN,NaN]", "empty", "[-Infinity,0]"], access),
            RandomType("tsrange", ["[2020-01-01,2020-01-02)", "(,infinity)"], access),
            RandomType("tstzrange", ["[2020-01-01 00:00+00,2020-01-02 00:00+05)", "empty"], access) {
                "tstzrange('2020-01-01 00:00+00'::timestamptz + (\($0)) * '1 day'::interval, NULL)"
            },
            RandomType("daterange", ["[2020-01-01,2020-02-01]", "(-infinity,infinity)"], access),
            RandomType("int4multirange", ["{}", "{[1,2),[5,9)}", "{(,)}"], many),
            RandomType("nummultirange", ["{[1.0,2.00]}", "{}"], many),
            RandomType("datemultirange", ["{[2020-01-01,2020-02-01)}"], many),
            RandomType("tstzmultirange", ["{[2020-01-01 00:00+00,),(,2019-01-01 00:00+00]}"], many),
        ]
    }

    /// A constant of it cannot stand in a default.
    private static var regrole: RandomType {
        var type = RandomType("regrole", [])
        type.samples = ["'pg_monitor'::text::regrole", "0::text::regrole"]
        return type
    }

    /// Types of the server itself, some of which mean something else on another server.
    static var inner: [RandomType] {
        [
            RandomType("pg_lsn", ["0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848"], ordered: true) {
                "'0/0'::pg_lsn + (\($0))"
            },
            RandomType("txid_snapshot", ["10:20:10,14,15", "1:1:"], []),
            RandomType("pg_snapshot", ["10:20:10,14,15"], []),
            RandomType("xid", ["0", "4294967295"], [.hash]),
            RandomType("xid8", ["0", "18446744073709551615"]),
            RandomType("cid", ["7"], [.hash]),
            RandomType("tid", ["(0,1)", "(4294967295,65535)"]),
            RandomType("regclass", ["pg_class", "0"]),
            RandomType("regtype", ["int4[]", "timestamp with time zone"]),
            RandomType("regproc", ["pg_catalog.now"]),
            RandomType("regprocedure", ["pg_catalog.abs(integer)"]),
            RandomType("regoperator", ["pg_catalog.+(integer,integer)"]),
            RandomType("regnamespace", ["pg_catalog"]),
            regrole,
            RandomType("regcollation", ["\"C\""]),
            RandomType("regconfig", ["english"]),
            RandomType("regdictionary", ["simple"]),
            RandomType("int2vector", ["1 2 3", ""], []),
            RandomType("oidvector", ["1 2 3", ""]),
            RandomType("aclitem", ["pg_monitor=r*w/pg_monitor", "=r/pg_monitor"], [.hash]),
            RandomType("refcursor", ["c 1", ""], []),
        ]
    }
}
