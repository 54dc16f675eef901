import ArgumentParser

/// `martlet db`.
struct DatabaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "db",
        abstract: "Make, fill, look at and drop the databases of an application.",
        discussion: """
            Databases have names in martlet.yaml, beside the application: dev, prod, and any other. The default is \
            dev; a word at the end or --env chooses another. Each command says first which database it acts on. \
            What destroys something on a protected one (prod is, unless the file says otherwise) wants the \
            database's name to be typed, or given with --confirm.

            EXAMPLES
              martlet db setup
              martlet db sessions prod --watch
              martlet db drop prod --confirm shop

            martlet.yaml:
              environments:
                dev:
                  connection: postgresql://app@localhost/shop_dev
                  schema: db/schema.sql
                  seed: db/seed.sql
                prod:
                  connection: { host: db.example.org, dbname: shop, user: app }
                  password: { variable: SHOP_PASSWORD }
            """,
        subcommands: [
            DatabaseCreate.self, DatabaseDrop.self, DatabaseConnect.self, DatabaseSchema.self, DatabaseSeed.self,
            DatabaseSetup.self, DatabaseReset.self, DatabaseSessions.self, DatabaseSize.self,
        ]
    )
}
