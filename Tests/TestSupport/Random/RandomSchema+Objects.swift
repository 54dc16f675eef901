import Postgres

/// What stands beside tables.
extension RandomSchemaBuilder {
    mutating func makeObjects() {
        makeViews()
        makeMaterializedViews()
        makeAudit()
        for table in tables {
            if random.chance(20) { makeBeforeTrigger(on: table) }
            if random.chance(15) { makePolicy(on: table) }
            if random.chance(20) { makeComments(on: table) }
            if random.chance(20) { makeGrants(on: table) }
            if random.chance(20) { makeStatistics(on: table) }
        }
        makeOwnedSequence()
        if random.chance(20) { makeForeignTable() }
        if random.chance(30) { makeLargeObjects() }
        if random.chance(15) { makePublication() }
    }

    private mutating func makeViews() {
        for table in random.pick(0...3, of: tables) {
            let view = newName("v")
            let options: SQL = random.chance(30) ? " WITH (security_barrier)" : ""
            let check: SQL = random.chance(20) && !table.columns.isEmpty ? " WITH CASCADED CHECK OPTION" : ""
            add("CREATE VIEW \(view)\(options) AS SELECT * FROM \(table.name)\(check)")
            views.append(view)
            if random.chance(20) { add("COMMENT ON VIEW \(view) IS \(literal: comment)") }
            if random.chance(30) {
                let above = newName("v")
                add("CREATE VIEW \(above) AS SELECT count(*) AS n, 'é' AS \"it's\" FROM \(view)")
                views.append(above)
            }
        }
    }

    private mutating func makeMaterializedViews() {
        guard random.chance(50), let table = tables.randomElement(using: &random) else { return }
        let first = newName("mv")
        add("CREATE MATERIALIZED VIEW \(first) AS SELECT count(*) AS n FROM \(table.name)")
        add("CREATE UNIQUE INDEX ON \(first) (n)")
        let second = newName("a_mv")
        add(
            "CREATE MATERIALIZED VIEW \(second) AS SELECT n + 1 AS m FROM \(first)\(random.chance(30) ? " WITH NO DATA" : "" as SQL)"
        )
        if random.chance(50) { add("COMMENT ON MATERIALIZED VIEW \(second) IS \(literal: comment)") }
    }

    /// A table into which triggers and rules of others write.
    private mutating func makeAudit() {
        guard random.chance(60) else { return }
        let audit = newName("audit")
        add(
            "CREATE TABLE \(audit) (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text, at timestamptz DEFAULT now())"
        )
        let function = newName("write_audit")
        add(
            """
            CREATE FUNCTION \(function)() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $f$ BEGIN \
            INSERT INTO \(audit) (what) VALUES (TG_OP || TG_TABLE_NAME); RETURN NULL; END $f$
            """
        )
        for table in random.pick(0...3, of: tables.filter { !$0.isUnlogged }) {
            let trigger = newName("trigger").identifier
            switch random.int(0...3) {
            case 0:
                add(
                    "CREATE TRIGGER \(trigger) AFTER INSERT OR UPDATE OR DELETE ON \(table.name) FOR EACH STATEMENT EXECUTE FUNCTION \(function)()"
                )
            case 1:
                add(
                    "CREATE CONSTRAINT TRIGGER \(trigger) AFTER UPDATE ON \(table.name) DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION \(function)()"
                )
            case 2 where !table.isPartitioned:
                let rule = newName("rule").identifier
                add(
                    "CREATE RULE \(rule) AS ON \(random.pick(["INSERT", "UPDATE", "DELETE"] as [SQL])) TO \(table.name) DO ALSO INSERT INTO \(audit) (what) VALUES ('rule')"
                )
                if random.chance(30) { add("ALTER TABLE \(table.name) ENABLE ALWAYS RULE \(rule)") }
            default:
                add(
                    "CREATE TRIGGER \(trigger) AFTER INSERT OR DELETE ON \(table.name) FOR EACH ROW EXECUTE FUNCTION \(function)()"
                )
                setFiring(of: trigger, on: table)
            }
        }
        let int8 = types.first { $0.sql == "int8" } ?? types[0]
        let text = types.first { $0.sql == "text" } ?? types[0]
        var id = RandomColumn(name: "id", type: int8, role: .key(modulus: nil), identity: .always)
        id.isNotNull = true
        var table = RandomTable(
            name: audit,
            columns: [id, RandomColumn(name: "what", type: text, role: .value)],
            key: .primary
        )
        table.isFixed = true
        tables.append(table)
    }

    private mutating func setFiring(of trigger: Identifier, on table: RandomTable) {
        guard random.chance(50) else { return }
        let modes: [SQL] = ["ENABLE ALWAYS", "ENABLE REPLICA", "DISABLE"]
        add("ALTER TABLE \(table.name) \(random.pick(modes)) TRIGGER \(trigger)")
    }

    /// A trigger that changes the row before it is written.
    private mutating func makeBeforeTrigger(on table: RandomTable) {
        let plain = table.columns.filter { $0.isPlain && !$0.type.samples[0].text.contains("$f$") }
        guard let column = plain.randomElement(using: &random) else { return }
        let function = newName("change")
        add(
            """
            CREATE FUNCTION \(function)() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN \
            NEW.\(column.name) := \(column.type.samples[0]); RETURN NEW; END $f$
            """
        )
        let trigger = newName("trigger").identifier
        let condition: SQL = random.chance(30) ? " WHEN (NEW.\(column.name) IS NULL)" : ""
        add(
            "CREATE TRIGGER \(trigger) BEFORE INSERT OR UPDATE ON \(table.name) FOR EACH ROW\(condition) EXECUTE FUNCTION \(function)()"
        )
        // With the same value on both sides it does no harm to fire twice.
        setFiring(of: trigger, on: table)
    }

    private mutating func makePolicy(on table: RandomTable) {
        add(
            "CREATE POLICY \(newName("policy").identifier) ON \(table.name) TO pg_monitor USING (true) WITH CHECK (false)"
        )
        add("ALTER TABLE \(table.name) ENABLE ROW LEVEL SECURITY")
        if random.chance(50) { add("ALTER TABLE \(table.name) FORCE ROW LEVEL SECURITY") }
    }

    private mutating func makeComments(on table: RandomTable) {
        add("COMMENT ON TABLE \(table.name) IS \(literal: comment)")
        if let column = table.columns.first {
            add("COMMENT ON COLUMN \(table.name).\(column.name) IS \(literal: comment)")
        }
    }

    private mutating func makeGrants(on table: RandomTable) {
        add("GRANT SELECT, UPDATE ON \(table.name) TO pg_monitor WITH GRANT OPTION")
        if let column = table.columns.first {
            add("GRANT INSERT (\(column.name)), SELECT (\(column.name)) ON \(table.name) TO PUBLIC")
        }
    }

    private mutating func makeStatistics(on table: RandomTable) {
        let columns = table.columns.filter {
            $0.type.indexes.contains(.btree) && !$0.definition.text.hasSuffix("VIRTUAL")
        }
        guard columns.count >= 2 else { return }
        let kinds: SQL = random.chance(50) ? " (ndistinct, mcv)" : ""
        add("CREATE STATISTICS \(newName("stat"))\(kinds) ON \(columns[0].name), \(columns[1].name) FROM \(table.name)")
        add("ALTER TABLE \(table.name) ALTER COLUMN \(columns[0].name) SET STATISTICS 7")
    }

    private mutating func makeOwnedSequence() {
        guard random.chance(40), let sequence = sequences.last,
            let table = tables.first(where: { $0.name.schema == sequence.schema && !$0.columns.isEmpty })
        else { return }
        add("ALTER SEQUENCE \(sequence) OWNED BY \(table.name).\(table.columns[0].name)")
    }

    private mutating func makeForeignTable() {
        let server = databaseNames.name("server", &random)
        let wrapper = databaseNames.name("wrapper", &random)
        add("CREATE FOREIGN DATA WRAPPER \(wrapper)")
        add("CREATE SERVER \(server) FOREIGN DATA WRAPPER \(wrapper) OPTIONS (host 'it''s')")
        add("CREATE FOREIGN TABLE \(newName("foreign")) (a int4 NOT NULL, \"b \"\"\" text) SERVER \(server)")
    }

    private mutating func makeLargeObjects() {
        for number in 1...random.int(1...3) {
            add("SELECT lo_from_bytea(0, decode(repeat('00ff5c', \(number * 1000)), 'hex'))")
        }
    }

    /// A publication of somebody else's; of tables whose updates it does not break.
    private mutating func makePublication() {
        let tables = tables.filter { $0.key == .primary && !$0.isDeferrable && !$0.isUnlogged && !$0.hasChildren }
        guard let table = tables.randomElement(using: &random) else { return }
        add("CREATE PUBLICATION \(databaseNames.name("publication", &random)) FOR TABLE ONLY \(table.name)")
    }
}
