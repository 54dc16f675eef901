import Postgres

/// Rights that are needed on the server that is followed, and on the one that is written to.
extension ServerChecks {
    /// Whether a stream may be opened.
    static func replication(
        _ server: ServerSurvey,
        on side: Finding.Side,
        denial: PostgresError?,
        otherwise level: Finding.Level
    ) -> Finding {
        let check = "\(side.rawValue).replication"
        guard let denial else {
            return Finding(check, .pass, "role \"\(server.role)\" may open a replication connection")
        }
        let facts = [denial.message, denial.detail].compactMap(\.self).joined(separator: "\n")
        let isRight = facts.contains("must be superuser or replication role") || facts.contains("REPLICATION attribute")
        let remedy =
            if isRight {
                ["ALTER ROLE \(Identifier(server.role).quoted) REPLICATION;"]
            } else if denial.sqlState == "53300" {
                ["ALTER SYSTEM SET max_wal_senders = \(server.senders.used + 10);", server.restart]
            } else {
                [String]()
            }
        let what =
            isRight ? "role \"\(server.role)\" may not replicate" : "the server refuses a replication connection"
        let why = "Managed servers have a right of their own for it, such as GRANT rds_replication."
        return Finding(
            check,
            level,
            side == .target ? what + ", so a cutover is possible only without a way back" : what,
            detail: isRight ? facts + "\n" + why : facts,
            remedy: remedy
        )
    }

    /// How triggers, rules and foreign keys are kept from acting again on what they have acted on before.
    static func replicaRole(
        _ server: ServerSurvey,
        on side: Finding.Side,
        denial: PostgresError?,
        bystanders: SourceSurvey.Bystanders
    ) -> Finding {
        let check = "\(side.rawValue).replica_role"
        guard let denial else {
            return Finding(check, .pass, "role \"\(server.role)\" can set session_replication_role")
        }
        let cannot = "role \"\(server.role)\" cannot set session_replication_role"
        guard !bystanders.isNone else {
            return Finding(
                check,
                .pass,
                "\(cannot), and no trigger, rule or foreign key is there to be kept still",
                detail: denial.description
            )
        }
        let time =
            side == .target
            ? "From the load to the cutover they would act on changes that they have acted on on the source."
            : "From a cutover to the rollback, or the end of the move, they would act on changes of the new server."
        let end = side == .target ? "The cutover" : "A rollback, or the end of the move,"
        return Finding(
            check,
            .warning,
            "\(bystanders.text) will be set aside on the \(side.rawValue) while martlet writes there, because \(cannot)",
            detail: """
                \(time) So triggers and rules are disabled there, and foreign keys dropped; the journal has each as it was. \
                \(end) gives all back before an application writes; foreign keys are then validated while it works.
                \(denial.description)
                """,
            remedy: server.majorVersion >= 15
                ? ["GRANT SET ON PARAMETER session_replication_role TO \(Identifier(server.role).quoted);"] : []
        )
    }
}
