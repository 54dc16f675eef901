import Foundation
import Yams

/// One object of Kubernetes, as a file has it.
struct Manifest {
    let file: String
    let node: Node

    var kind: String { node["kind"]?.string ?? "" }
    var name: String { node["metadata"]?["name"]?.string ?? "" }
    var spec: Node? { node["spec"] }

    /// What a pod of it is made of; nil when it makes none.
    var pod: Node? { spec?["template"]?["spec"] }

    var containers: [Node] {
        [pod?["initContainers"], pod?["containers"]].flatMap { $0?.sequence.map(Array.init) ?? [] }
    }

    /// The objects of a text.
    static func all(in text: String, from file: String) throws -> [Manifest] {
        try Array(Yams.compose_all(yaml: text)).map { Manifest(file: file, node: $0) }
    }

    /// The folder of the repository's files for those who run martlet.
    static let folder = URL(filePath: #filePath).appending(path: "../../../../deploy").standardized

    static func text(of file: String) throws -> String {
        try String(contentsOf: folder.appending(path: file), encoding: .utf8)
    }

    /// The files that the base is made of.
    static func baseFiles() throws -> [String] {
        let list = try Yams.compose(yaml: text(of: "kubernetes/base/kustomization.yaml"))?["resources"]
        return (list?.array() ?? []).compactMap(\.string).map { "kubernetes/base/" + $0 }
    }

    /// The objects of the base, as its files have them.
    static func base() throws -> [Manifest] {
        try baseFiles().flatMap { try all(in: text(of: $0), from: $0) }
    }
}

extension Node {
    /// The texts of a list.
    var strings: [String] { array().compactMap(\.string) }

    /// Every text in it, at any depth, with the keys that lead there.
    var leaves: [(path: String, text: String)] {
        switch self {
        case .mapping(let mapping):
            mapping.flatMap { key, value in
                value.leaves.map { ("\(key.string ?? "?").\($0.path)", $0.text) }
            }
        case .sequence(let sequence): sequence.flatMap { node in node.leaves.map { ("-.\($0.path)", $0.text) } }
        case .scalar(let scalar): [("", scalar.string)]
        case .alias: []
        }
    }
}
