import Postgres

/// Types that a database makes itself.
extension RandomSchemaBuilder {
    mutating func makeTypes() {
        makeExtensions()
        makeEnums()
        makeDomains()
        makeComposites()
        makeRangeTypes()
        makeCollations()
        let elements = types.filter(\.isElement)
        types += random.pick(8...14, of: elements).map(\.array)
        // Some types of a schema should be used often, not once in a hundred columns.
        let own = types.dropFirst(RandomType.builtIn(major: features.major).count)
        types += Array(own) + Array(own)
    }

    private mutating func makeExtensions() {
        let all: [(String, String, [String], Set<RandomType.Access>)] = [
            ("citext", "citext", ["MiXed", "mixed", ""], [.btree, .hash]),
            ("hstore", "hstore", ["a=>1, b=>NULL", "", "\"quo\\\"te\"=>\"it's\""], [.btree, .hash, .gist, .gin]),
            ("ltree", "ltree", ["a.b.c", "", "Top"], [.btree, .gist]),
            ("cube", "cube", ["(1,2),(3,4)", "0"], [.btree, .gist]),
            ("seg", "seg", ["1.5", "1 .. 2"], [.btree, .gist]),
            ("isn", "isbn", ["978-0-393-04002-9"], [.btree, .hash]),
        ]
        for (name, type, literals, access) in all where features.extensions.contains(name) && random.chance(35) {
            let schema = random.pick(schemas)
            add("CREATE EXTENSION \(Identifier(name)) SCHEMA \(schema)")
            types.append(RandomType("\(QualifiedName(schema: schema.name, name: type))", literals, access))
        }
        for name in ["btree_gist", "pg_trgm"] where features.extensions.contains(name) && random.chance(20) {
            add("CREATE EXTENSION \(Identifier(name)) SCHEMA public")
        }
    }

    private mutating func makeEnums() {
        for _ in 0..<random.int(1...2) {
            let name = newName("mood")
            let labels = random.pick(
                1...4,
                of: ["sad", "it's ok", "", "\"quoted\"", "🦤", "NULL", "A", "a", "back\\slash"]
            )
            add("CREATE TYPE \(name) AS ENUM (\(.joined(labels.map { "\(literal: $0)" })))")
            if random.chance(50) { add("ALTER TYPE \(name) ADD VALUE 'first' BEFORE \(literal: labels[0])") }
            types.append(RandomType("\(name)", labels))
        }
    }

    private mutating func makeDomains() {
        for _ in 0..<random.int(1...4) {
            let name = newName("domain")
            let base = random.pick(types.filter(\.isElement) + [types[0].array])
            var type = base.renamed("\(name)")
            // PostgreSQL does not find the hash function of an array of them.
            if base.sql.text.contains("range") { type.isElement = false }
            var definition: SQL = ""
            if random.chance(30) {
                definition = " DEFAULT \(base.samples[0])"
            }
            if random.chance(30) {
                type.isRequired = true
                definition = definition + (random.chance(50) ? " NOT NULL" : " CHECK (VALUE IS NOT NULL)")
            }
            if base.isCollatable, random.chance(50) {
                definition = definition + " CONSTRAINT \(Identifier("it's")) CHECK (VALUE <> 'forbidden')"
            }
            // A check that everything passes, and that needs a type's functions.
            if random.chance(20) { definition = definition + " CHECK (VALUE::text IS DISTINCT FROM 'no such value')" }
            add("CREATE DOMAIN \(name) AS \(base.sql)\(definition)")
            if random.chance(20) { add("COMMENT ON DOMAIN \(name) IS \(literal: comment)") }
            types.append(type)
        }
    }

    private mutating func makeComposites() {
        for _ in 0..<random.int(1...2) {
            let name = newName("pair")
            let parts = random.pick(1...4, of: types)
            var attributes = HostileNames()
            let list = parts.map { "\(attributes.name("a", &random)) \($0.sql)" as SQL }
            add("CREATE TYPE \(name) AS (\(.joined(list)))")
            let indexes = parts.map(\.indexes).reduce(Set<RandomType.Access>([.btree])) { $0.intersection($1) }
            var type = RandomType("\(name)", [], indexes)
            type.samples = (0..<3).map { number -> SQL in
                let values = parts.map { part -> SQL in
                    number == 2 && !part.isRequired ? "NULL" : part.samples[number % part.samples.count]
                }
                return "ROW(\(.joined(values)))::\(name)"
            }
            type.isLarge = parts.contains(where: \.isLarge)
            types.append(type)
        }
    }

    private mutating func makeRangeTypes() {
        guard random.chance(50) else { return }
        let name = newName("span")
        let many = newName("spans")
        add(
            "CREATE TYPE \(name) AS RANGE (SUBTYPE = pg_catalog.text, MULTIRANGE_TYPE_NAME = \(many), COLLATION = \"C\")"
        )
        types.append(RandomType("\(name)", ["[a,b)", "empty", "(,\"quo\\\"te\"]"], [.btree, .hash]))
        types.append(RandomType("\(many)", ["{}", "{[a,b),[c,c]}"], [.btree, .hash]))
    }

    private mutating func makeCollations() {
        guard features.hasICU else { return }
        collations.append("pg_catalog.\"de-x-icu\"")
        let blind = newName("blind")
        add("CREATE COLLATION \(blind) (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        collations.append("\(blind)")
    }
}
