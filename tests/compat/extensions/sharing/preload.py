def preload(parser):
    parser.add_argument("--sharing-flag", type=str, default="flagged")
