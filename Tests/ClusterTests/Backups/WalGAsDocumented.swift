/// A program that does what WAL-G's documentation says of the commands that a restore calls, over a folder.
///
/// `backup-fetch` writes tablespaces where `--restore-spec` says, and without it where the source has them; it leaves `tablespace_map`, as a
/// backup through the replication protocol does. `wal-fetch` ends with 74 for what is not there, and with 1 for what has failed.
let walGAsDocumented = #"""
    #!/usr/bin/env python3
    import datetime, json, os, re, shutil, subprocess, sys, tarfile

    settings = json.load(open(sys.argv[2]))
    command, words = sys.argv[3], [word for word in sys.argv[4:] if word != "--target-storage=default"]
    bases = settings["WALG_FILE_PREFIX"] + "/basebackups_005"
    log = settings["WALG_FILE_PREFIX"] + "/wal_005"
    sentinel = "%s/%s_backup_stop_sentinel.json"

    def lsn(text):
        high, low = text.split("/")
        return int(high, 16) << 32 | int(low, 16)

    def ask(sql):
        words = [settings["PGBIN"] + "/psql", "-XAtw", "-h", settings["PGHOST"], "-U", settings["PGUSER"], "-d", "postgres"]
        return subprocess.run(words + ["-c", sql], check=True, capture_output=True, text=True).stdout.strip()

    if command == "wal-push":
        target = log + "/" + os.path.basename(words[0])
        shutil.copyfile(words[0], target + ".new")
        os.rename(target + ".new", target)

    elif command == "backup-push":
        work = bases + "/new"
        subprocess.run(
            [settings["PGBIN"] + "/pg_basebackup", "-D", work, "-Ft", "-X", "none", "--no-manifest", "-c", "fast",
             "-w", "-h", settings["PGHOST"], "-U", settings["PGUSER"]],
            check=True, capture_output=True)
        with tarfile.open(work + "/base.tar") as base:
            label = base.extractfile("backup_label").read().decode()
            mapped = base.extractfile("tablespace_map").read().decode().splitlines()
        start, segment = re.search(r"START WAL LOCATION: (\S+) \(file (\w+)\)", label).groups()
        places = {"base_prefix": ask("SHOW data_directory"), "tablespaces": [line.split(" ", 1)[0] for line in mapped]}
        for line in mapped:
            name, path = line.split(" ", 1)
            places[name] = {"loc": path, "link": "pg_tblspc/" + name}
        name = "base_" + segment
        os.rename(work, bases + "/" + name)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        json.dump({"Spec": places, "about": {
            "backup_name": name, "time": now, "wal_file_name": segment, "storage_name": "default",
            "start_time": now, "finish_time": now, "date_fmt": "%Y-%m-%dT%H:%M:%S.%fZ", "hostname": "here",
            "data_dir": "", "pg_version": int(ask("SHOW server_version_num")), "start_lsn": lsn(start),
            "finish_lsn": lsn(ask("SELECT pg_current_wal_lsn()")), "is_permanent": False,
            "system_identifier": int(ask("SELECT system_identifier FROM pg_control_system()")),
            "uncompressed_size": 1, "compressed_size": 1,
        }}, open(sentinel % (bases, name), "w"))

    elif command == "backup-list" and words == ["--detail", "--json"]:
        print("INFO: List backups from storages: [default]", file=sys.stderr)
        found = [name for name in sorted(os.listdir(bases)) if name.endswith("_sentinel.json")]
        print(json.dumps([json.load(open(bases + "/" + name))["about"] for name in found]))

    elif command == "st" and words[0] == "cat":
        print(open(settings["WALG_FILE_PREFIX"] + "/" + words[1]).read())

    elif command == "backup-fetch":
        data, name = words[-2:]
        if os.path.exists(data) and os.listdir(data):
            sys.exit("ERROR: Directory %s for delta base must be empty" % data)
        spec = [word.split("=", 1)[1] for word in words if word.startswith("--restore-spec=")]
        places = json.load(open(spec[0] if spec else sentinel % (bases, name)))
        places = places.get("Spec", places)
        with tarfile.open("%s/%s/base.tar" % (bases, name)) as base:
            base.extractall(data)
        for space in places["tablespaces"]:
            os.makedirs(places[space]["loc"], exist_ok=True)
            link = data + "/" + places[space]["link"]
            if os.path.isdir(link):
                os.rmdir(link)
            os.symlink(places[space]["loc"], link)
            with tarfile.open("%s/%s/%s.tar" % (bases, name, space)) as files:
                files.extractall(places[space]["loc"])

    elif command == "wal-fetch":
        print("INFO: what is printed is for people")
        if not os.path.exists(log + "/" + words[0]):
            print("ERROR: Archive '%s' does not exist." % words[0], file=sys.stderr)
            sys.exit(74)
        with open(words[1], "xb") as target:
            shutil.copyfileobj(open(log + "/" + words[0], "rb"), target)

    else:
        sys.exit("ERROR: unknown command %s" % command)

    """#
