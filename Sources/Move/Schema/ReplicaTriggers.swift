import Catalog
import Engine
import Postgres

/// Keeps triggers and rules that fire for replicated rows too from acting again on what they have acted on before.
///
/// `ENABLE ALWAYS` and `ENABLE REPLICA` ones fire in sessions with `session_replication_role = replica`, as those
/// are that write for martlet. On the server that is written to, the former are set to fire for everybody else only,
/// which is all the same to an application, and the latter are disabled. The journal gives them back.
struct ReplicaTriggers {
    static let kind = "trigger for replicated rows"

    let side: Journal.Side
    /// The OIDs of the tables on that side.
    let tables: [UInt32]

    /// Sets them aside; to be called in a transaction, which takes SHARE ROW EXCLUSIVE on each table that has one, and
    /// ACCESS EXCLUSIVE for a rule.
    ///
    /// `journal` is another session, so that the entries are there before.
    func suspend(on server: Connection, journal: Connection) throws {
        for row in try server.query(MoveSQL.replicaTriggers, tables) {
            let table = QualifiedName(schema: try row("schema"), name: try row("table"))
            let name = Identifier(try row("name"))
            let isRule = try row("kind", as: String.self) == "RULE"
            let isAlways = try row("enabled", as: String.self) == "A"
            let kind: SQL = isRule ? "RULE" : "TRIGGER"
            let giveBack: SQL = isAlways ? "ENABLE ALWAYS" : "ENABLE REPLICA"
            let undo: SQL = "ALTER TABLE ONLY \(table) \(giveBack) \(kind) \(name)"
            try Journal.note(
                Journal.Object(
                    side: side,
                    kind: Self.kind,
                    name: "\(kind.text.lowercased()) \(name.quoted) of \(table)",
                    undo: Self.ifThere(table, name, isRule: isRule, undo)
                ),
                on: journal
            )
            let aside: SQL = isAlways ? "ENABLE" : "DISABLE"
            try server.execute("ALTER TABLE ONLY \(table) \(aside) \(kind) \(name)")
        }
    }

    /// Somebody may have dropped it meanwhile.
    private static func ifThere(_ table: QualifiedName, _ name: Identifier, isRule: Bool, _ undo: SQL) -> SQL {
        let question: SQL =
            isRule
            ? "SELECT FROM pg_rewrite WHERE ev_class = to_regclass(\(literal: table.quoted)) AND rulename = \(literal: name.name)"
            : "SELECT FROM pg_trigger WHERE tgrelid = to_regclass(\(literal: table.quoted)) AND tgname = \(literal: name.name)"
        let block: SQL = "BEGIN IF EXISTS (\(question)) THEN \(undo); END IF; END"
        return "DO \(literal: block.text)"
    }
}
