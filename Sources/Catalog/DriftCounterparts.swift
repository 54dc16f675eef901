public import Postgres

extension Drift {
    /// What things of the source are called on the target, and which columns are not to be the same there.
    public struct Counterparts: Sendable, Hashable {
        /// One table.
        public struct Table: Sendable, Hashable {
            let name: QualifiedName
            let names: [Identifier: Identifier]
            let left: Set<Identifier>
            let added: Set<Identifier>
            let types: [Identifier: String]
            let neverNull: Set<Identifier>

            /// Describes it: its name on the target; columns that are called otherwise there, that stay behind, that only
            /// the target has, whose values are changed and what type they have there, and that a key of the target keeps from being NULL.
            ///
            /// All but the added ones go by their names on the source.
            public init(
                name: QualifiedName,
                names: [Identifier: Identifier] = [:],
                left: Set<Identifier> = [],
                added: Set<Identifier> = [],
                types: [Identifier: String] = [:],
                neverNull: Set<Identifier> = []
            ) {
                (self.name, self.names, self.left, self.added) = (name, names, left, added)
                (self.types, self.neverNull) = (types, neverNull)
            }
        }

        let tables: [QualifiedName: Table]
        private let schemas: [Identifier: Identifier]

        /// Describes those that differ, by their names on the source.
        public init(tables: [QualifiedName: Table] = [:], schemas: [Identifier: Identifier] = [:]) {
            (self.tables, self.schemas) = (tables, schemas)
        }

        func target(of table: QualifiedName) -> QualifiedName { tables[table]?.name ?? table }

        func inSchema(_ name: QualifiedName) -> QualifiedName {
            QualifiedName(schema: schemas[Identifier(name.schema)]?.name ?? name.schema, name: name.name)
        }

        /// A type as `format_type` writes it, in the schema that it has on the target.
        func type(_ type: String) -> String {
            for (from, to) in schemas {
                let prefix = Self.written(from) + "."
                if type.hasPrefix(prefix) { return Self.written(to) + "." + type.dropFirst(prefix.count) }
            }
            return type
        }

        private static func written(_ schema: Identifier) -> String {
            let name = schema.name
            let isPlain =
                name.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "_") }
                && name.first?.isNumber == false
            return isPlain ? name : schema.quoted
        }
    }
}
